"""A usual step of a tree, made without a draft of it: an invocation goes on alone with the one thing that follows.

A turn asks for a call, or a call returns: one work item ends, and the invocation that holds it is given the next one.
Nearly all steps are such. Invariant: the request, the answer and the known tree are those of `Attempt`, to the byte,
which the simulation compares at each step. Must not: make a step of which any part is unusual; that one is left to
`Attempt`.
"""

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from baton.engine.commit.answers import Claim, ClaimResult, Committed, History, Verdict
from baton.engine.commit.codec import encode
from baton.engine.commit.patch import STAMP, chained, known_end
from baton.engine.commit.stored_bytes import written_bytes
from baton.engine.commit.tree import Tree
from baton.engine.effects import Changes
from baton.engine.outbox import Continuation
from baton.engine.state import BudgetScope, CallRecord, Job, State, Usage, reads_history
from baton.engine.transitions import END_STATUSES
from baton.engine.work_items import ItemKind, WorkItem
from baton.store.redis import keys
from baton.store.redis.tree.billing import Bill
from baton.store.redis.tree.details import history_of
from baton.store.redis.tree.snapshot import Transcript, TreeSnapshot, weight_of
from baton.store.redis.tree.writes import PARTS_AT_ONCE, Kept
from baton.store.transport.meter import Meter

_UNCHANGED = Changes()


def usual_step(
    claim: Claim,
    changes: Changes,
    continuation: Continuation,
    meter: Meter | None,
    snapshot: TreeSnapshot,
    draw: Callable[[], str],
) -> "UsualStep | None":
    """Return the step that a COMMIT of this invocation is, as it is made of this tree; None: it is not usual.

    `meter`: of the invocation. `draw`: draws the name of its request.
    """
    job_id, tree = claim.job_id, snapshot.tree
    item, before, known = tree.items.get(claim.item_key), tree.jobs.get(job_id), snapshot.transcripts.get(job_id)
    if item is None or before is None or not _is_held(item, claim, before):
        return None
    follows, job = _following(changes), changes.job or before
    is_usual = snapshot.is_usual or (_is_alone(snapshot, item) and _is_usual(before))
    if follows is None or not (is_usual and (job is before or _is_usual(job))):
        return None
    lease_ms = continuation.leases_ms.get(follows.kind, 0) if continuation.at_most > 0 else 0
    record = changes.calls[0] if changes.calls[0].id == follows.call_id else None
    if not lease_ms or follows.key in continuation.but or (follows.kind is ItemKind.CALL) is (record is None):
        return None
    if known is None and reads_history(follows, job):
        return None
    for call_id in changes.results:
        if (record and call_id == record.id) or (known and call_id in known.results):
            return None
    used, name = tree.usage[job_id], draw()
    held = replace(
        follows,
        owner=continuation.owner,
        relay_id=claim.message_id,
        claimed_ms=claim.now_ms,
        lease_until_ms=claim.now_ms + lease_ms,
    )
    used = replace(
        used,
        written=used.written + written_bytes(changes, claim.item_key),
        updated_ms=claim.now_ms,
        stamp=chained(used.stamp, name),
        entries=used.entries + len(changes.transcript),
    )
    if known is not None:
        size_chars = known.size_chars + weight_of((*changes.transcript, *changes.results.values()))
        entries, results = (*known.entries, *changes.transcript), {**known.results, **changes.results}
        known = Transcript(entries, results, size_chars, known.memo, name)
    return UsualStep(name, changes, meter, snapshot, job, held, record, used, known, Bill(name))


class UsualStep(Struct):
    """A usual step, made: its request, its answer, and the tree after it.

    `name`: of the request. `before`: the tree that it is made of. `held`: the work item that follows, claimed, with
    the `record` of its call. `used`: has the bill once the request is made. `written`: the end of the stamp, and fields
    of the state with their texts.
    """

    name: str
    changes: Changes
    meter: Meter | None
    before: TreeSnapshot
    job: Job
    held: WorkItem
    record: CallRecord | None
    used: Usage
    known: Transcript | None
    bill: Bill
    written: list[str] = []

    def request(self, kept: Kept) -> tuple[list[str], list[str]]:
        """Return the script's keys and arguments, with the bill: those that `Patch` makes of it."""
        changes, job_id, before = self.changes, self.job.id, self.before
        was, counted, end = before.tree.usage[job_id], keys.part_count(job_id), known_end(before.state[STAMP])
        item, count = encode(self.held).decode(), f"{int(before.state[counted]) + len(changes.parts)}"
        texts: list[str] = []
        for record in changes.calls:
            texts += (record.id, encode(record).decode())
        for name, text in changes.results.items():
            texts += (keys.RESULT + name, text)
        number = was.entries
        for text in changes.transcript:
            texts += (f"{keys.ENTRY}{number}", text)
            number += 1
        parts = [text for part in changes.parts for text in ("p", part)]
        stamped = [f"item:{job_id}", item, counted, count, STAMP, f";{self.name}"]
        fields = [f"job:{job_id}", encode(changes.job).decode()] if changes.job else []
        of_usage = len(fields) + 4  # where its text is among the arguments
        at = of_usage + 7
        last = at + len(texts)
        plan = (
            f'{{"conditions":[["ends",1,2,{at}]],"writes":[["HSET",1,4,{at}],["HSET",2,{at + 1},{last}],'
            f'["XADD",3,{last + 1},{last + 4 + len(parts)}]]}}'
        )
        place = ("MAXLEN", "~", f"{kept.stream_length}", f"{self.job.created_at_ms}-{count}")
        named = [keys.state_key(job_id), keys.calls_key(job_id), keys.parts_key(job_id)]
        arguments = [plan, STAMP, end, *fields, f"usage:{job_id}", "", *stamped, *texts, *place, *parts]
        self.used, arguments[of_usage], part, shown = self.bill.alone(
            job_id, self.meter, was, self.used, changes.parts, "".join([*named, *arguments])
        )
        if part:
            arguments[arguments.index(part)] = shown
        self.written = arguments[2:at]
        return named, arguments

    def committed(self) -> Committed:
        """Return the answer, once the step is written: what is made of a history stays with those of its beginning."""
        job, held, known = self.job, self.held, self.known
        history = history_of(known, job) if known and reads_history(held, job) else History()
        scopes = (BudgetScope(job),) if held.kind is ItemKind.LOOP else ()
        state = State(job, held, self.record, budget_scopes=scopes)
        return Committed(applied=True, claimed=(ClaimResult(Verdict.GRANTED, state=state, history=history),))

    def after(self) -> TreeSnapshot:
        """Return the tree after the write, if no other has written meanwhile; else the next comparison is refused."""
        before, job_id, held, record, known = self.before, self.job.id, self.held, self.record, self.known
        end, *written = self.written
        state = {**before.state, **dict(zip(written[::2], written[1::2], strict=True)), STAMP: f"{end};{self.name}"}
        after = Tree(
            {job_id: self.job},
            before.tree.slot_states,
            {job_id: self.used},
            {held.key: held},
            {job_id: {record.id: record}} if record else {},
            needed_until=before.tree.needed_until,
            placed={job_id: held.key},
        )
        transcripts = {**before.transcripts, job_id: known} if known else before.transcripts
        return TreeSnapshot(state, after, transcripts, is_usual=True)


def _is_alone(snapshot: TreeSnapshot, item: WorkItem) -> bool:
    """Return whether the tree has one job, which holds a slot, and one work item, in the job's own field."""
    tree, job_id = snapshot.tree, item.job_id
    if len(tree.items) != 1 or len(tree.jobs) != 1 or tree.placed.get(job_id) != item.key:
        return False
    more = tree.messages or tree.child_usage or tree.results or tree.events or tree.ended or tree.expires_ms
    if more or tree.tombstone or snapshot.apart or snapshot.is_contended or snapshot.is_fresh:
        return False
    if job_id not in tree.usage or STAMP not in snapshot.state or keys.part_count(job_id) not in snapshot.state:
        return False
    slot_state = tree.slot_states.get(job_id)
    return slot_state is not None and slot_state.slot and slot_state.want == "slot"


def _is_held(item: WorkItem, claim: Claim, job: Job) -> bool:
    befallen = item.redelivered or item.abandoned or item.died or item.text_id or item.appended or item.offloaded
    is_own = item.owner == claim.owner and claim.run == job.run and claim.answer is None and not claim.looks
    return is_own and not (befallen or item.after or item.sealed or item.kind is ItemKind.WAIT)


def _is_usual(job: Job) -> bool:
    """Return whether only the job's own steps change it, and any invocation may go on with it."""
    kept_apart = job.isolated or job.scripts or job.model.runs_code or job.stretch or job.in_flight
    return not (kept_apart or job.sealed or job.cancelling or job.status in END_STATUSES)


def _following(changes: Changes) -> WorkItem | None:
    """Return the one new item that may begin at once; None where there are others, or where all this does more."""
    items = (changes.join.item, *changes.items) if changes.join else changes.items
    if not (items and changes.calls and changes.parts) or not (changes.transcript or changes.results):
        return None
    many = changes.transcript[PARTS_AT_ONCE:] or changes.parts[PARTS_AT_ONCE:]
    if many or items[1:] or changes.calls[1:] or len(changes.results) > 1:
        return None
    rest = replace(
        changes, job=None, items=(), join=None, calls=(), results={}, transcript=(), parts=(), used=None, counts={}
    )
    item = items[0]
    if rest != _UNCHANGED or (item.kind is not ItemKind.LOOP and item.kind is not ItemKind.CALL):
        return None
    begun = item.owner or item.lease_until_ms or item.lost or item.abandoned or item.died or item.offloaded
    waits = item.not_before_ms or item.after or item.step or item.isolated or item.limited_by or item.memo
    return None if begun or waits else item
