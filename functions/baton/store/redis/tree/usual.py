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
from baton.engine.commit.codec import dump
from baton.engine.commit.patch import STAMP, chained, compared, known_end
from baton.engine.commit.stored_bytes import written_bytes
from baton.engine.commit.tree import Tree
from baton.engine.effects import Changes
from baton.engine.outbox import Continuation
from baton.engine.state import BudgetScope, CallRecord, Job, State, reads_history
from baton.engine.work_items import ItemKind, WorkItem
from baton.store.redis import keys
from baton.store.redis.tree.billing import Bill
from baton.store.redis.tree.details import history_of
from baton.store.redis.tree.snapshot import TreeSnapshot, is_written
from baton.store.redis.tree.writes import PARTS_AT_ONCE, Kept, flat
from baton.store.transport.meter import Meter

_UNCHANGED = Changes()


class UsualCommit(Struct, frozen=True):
    """A COMMIT that may be a usual step; `meter`: of the invocation that makes it."""

    claim: Claim
    changes: Changes
    continuation: Continuation
    meter: Meter | None

    def step(self, snapshot: TreeSnapshot, draw: Callable[[], str]) -> "UsualStep | None":
        """Return the step as it is made of this tree; `draw`: the name of its request. None: it is not usual."""
        claim, changes, tree, job_id = self.claim, self.changes, snapshot.tree, self.claim.job_id
        item, before = tree.items.get(claim.item_key), tree.jobs.get(job_id)
        if item is None or before is None or not (_is_alone(snapshot, item) and _is_held(item, claim, before)):
            return None
        follows, job = _following(changes), changes.job or before
        if follows is None or not (_is_usual(before) and _is_usual(job) and self._continues(follows)):
            return None
        record = changes.calls[0] if changes.calls[0].id == follows.call_id else None
        if (follows.kind is ItemKind.CALL) is (record is None) or (record and record.id in changes.results):
            return None
        known = snapshot.transcripts.get(job_id)
        if known is None:
            is_known = not reads_history(follows, job)
        else:
            is_known = changes.results.keys().isdisjoint(known.results)
        return UsualStep(self, snapshot, job, follows, record, draw()) if is_known else None

    def _continues(self, follows: WorkItem) -> bool:
        """Return whether the invocation is given this item."""
        continuation = self.continuation
        return (
            follows.kind in continuation.leases_ms and continuation.at_most > 0 and follows.key not in continuation.but
        )


class UsualStep:
    """A usual step, made: its request, its answer, and the tree after it. `name`: of the request."""

    def __init__(
        self,
        commit: UsualCommit,
        snapshot: TreeSnapshot,
        job: Job,
        follows: WorkItem,
        record: CallRecord | None,
        name: str,
    ) -> None:
        claim, changes, job_id = commit.claim, commit.changes, job.id
        self.name, self._snapshot, self._changes, self._job, self._record = name, snapshot, changes, job, record
        self._held = replace(
            follows,
            owner=commit.continuation.owner,
            relay_id=claim.message_id,
            claimed_ms=claim.now_ms,
            lease_until_ms=claim.now_ms + commit.continuation.leases_ms[follows.kind],
        )
        was = snapshot.tree.usage[job_id]
        self._used = replace(
            was,
            written=was.written + written_bytes(changes, claim.item_key),
            updated_ms=claim.now_ms,
            stamp=chained(was.stamp, name),
            entries=was.entries + len(changes.transcript),
        )
        self.bill, self._meter, self._state = Bill(name), commit.meter, dict[str, str]()
        known = snapshot.transcripts.get(job_id)
        more = known and known.more(changes.transcript, changes.results, name)
        self._transcripts = {**snapshot.transcripts, job_id: more} if more else snapshot.transcripts

    def request(self, kept: Kept) -> tuple[list[str], list[str]]:
        """Return the script's keys and arguments, with the bill: those that `Patch` makes of it."""
        changes, job_id, before = self._changes, self._job.id, self._snapshot.state
        usage, counted = f"usage:{job_id}", keys.part_count(job_id)
        count = f"{int(before[counted]) + len(changes.parts)}"
        fields = {f"job:{job_id}": dump(changes.job)} if changes.job else {}
        fields |= {usage: "", f"item:{job_id}": dump(self._held), counted: count, STAMP: compared(self.name)}
        texts: list[str] = []
        for record in changes.calls:
            texts += (record.id, dump(record))
        for name, text in changes.results.items():
            texts += (keys.RESULT + name, text)
        for number, text in enumerate(changes.transcript, self._used.entries - len(changes.transcript)):
            texts += (f"{keys.ENTRY}{number}", text)
        parts = [text for part in changes.parts for text in ("p", part)]
        at, last = 3 + 2 * len(fields), 3 + 2 * len(fields) + len(texts)
        plan = (
            f'{{"conditions":[["ends",1,2,{at}]],"writes":[["HSET",1,4,{at}],["HSET",2,{at + 1},{last}],'
            f'["XADD",3,{last + 1},{last + 4 + len(parts)}]]}}'
        )
        place = ("MAXLEN", "~", f"{kept.stream_length}", f"{self._job.created_at_ms}-{count}")
        named = [keys.state_key(job_id), keys.calls_key(job_id), keys.parts_key(job_id)]
        arguments = [plan, STAMP, known_end(before[STAMP]), *flat(fields), *texts, *place, *parts]
        was = self._snapshot.tree.usage[job_id]
        self._used, fields[usage], part, told = self.bill.alone(
            job_id, self._meter, was, self._used, changes.parts, "".join([*named, *arguments])
        )
        arguments[4 + 2 * list(fields).index(usage)] = fields[usage]
        if part:
            arguments[arguments.index(part)] = told
        self._state = fields
        return named, arguments

    def answer(self) -> Committed:
        """Return the answer, once the step is written: what is made of a history stays with those of its beginning."""
        job, held, known = self._job, self._held, self._transcripts.get(self._job.id)
        history = history_of(known, job) if known and reads_history(held, job) else History()
        scopes = (BudgetScope(job),) if held.kind is ItemKind.LOOP else ()
        state = State(job, held, self._record, budget_scopes=scopes)
        return Committed(applied=True, claimed=(ClaimResult(Verdict.GRANTED, state=state, history=history),))

    def is_in(self, snapshot: TreeSnapshot) -> bool:
        """Return whether this newer tree has what the refused step wrote: its request came twice."""
        return is_written(self.name, snapshot)

    def after(self) -> TreeSnapshot:
        """Return the tree after the write, if no other has written meanwhile; else the next comparison is refused."""
        before, job_id, held, record = self._snapshot, self._job.id, self._held, self._record
        tree, state = before.tree, {**before.state, **self._state}
        state[STAMP] = f"{known_end(before.state[STAMP])}{self._state[STAMP]}"
        after = Tree(
            {job_id: self._job},
            tree.slot_states,
            {job_id: self._used},
            {held.key: held},
            {job_id: {record.id: record}} if record else {},
            needed_until=tree.needed_until,
            placed={job_id: held.key},
        )
        return TreeSnapshot(state, after, self._transcripts)


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
    """Return whether this claim holds the item, and nothing has befallen it since."""
    befallen = item.redelivered or item.abandoned or item.died or item.text_id or item.appended or item.offloaded
    is_own = item.owner == claim.owner and claim.run == job.run and claim.answer is None and not claim.looks
    return is_own and not (befallen or item.after or item.sealed or item.kind is ItemKind.WAIT)


def _is_usual(job: Job) -> bool:
    """Return whether only the job's own steps change it, and any invocation may go on with it."""
    kept_apart = job.isolated or job.scripts or job.model.runs_code or job.stretch or job.in_flight
    return not (kept_apart or job.sealed or job.cancelling or job.ended)


def _following(changes: Changes) -> WorkItem | None:
    """Return the one new item that may begin at once; None where there are others, or where all this does more."""
    parts, texts = len(changes.parts), len(changes.transcript) + len(changes.results)
    if not (0 < parts <= PARTS_AT_ONCE and 0 < texts <= PARTS_AT_ONCE and len(changes.calls) == 1):
        return None
    rest = replace(
        changes, job=None, items=(), join=None, calls=(), results={}, transcript=(), parts=(), used=None, counts={}
    )
    join = changes.join
    if rest != _UNCHANGED or len(changes.items) + (join is not None) != 1:
        return None
    item = join.item if join else changes.items[0]
    if item.kind is not ItemKind.LOOP and item.kind is not ItemKind.CALL:
        return None
    begun = item.owner or item.lease_until_ms or item.lost or item.abandoned or item.died or item.offloaded
    waits = item.not_before_ms or item.after or item.step or item.isolated or item.limited_by or item.memo
    return None if begun or waits else item
