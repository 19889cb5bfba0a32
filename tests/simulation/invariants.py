"""What must hold in every world, by name: each a function that says what is wrong, or nothing.

ON_WRITE: at each write of the store that concerns them (watching.py). ON_SLOT_TABLE: at each change of it. The
others are in starting.py (when a tool starts), guarantee.py (when it is over with a message) and endings.py (at the
end). Of docs/decisions: nothing here asks the code under test what is right, but for names of items and events.
"""

import json
from collections.abc import Iterator
from operator import attrgetter, lt
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from baton.engine.all_jobs.ends import COUNTED
from baton.engine.commit.answers import Claim, Committed, Verdict
from baton.engine.commit.tree import Tree
from baton.engine.state import CallRecord, Job
from baton.engine.waits import APPROVALS
from baton.engine.work_items import FOLLOW_UPS, ItemKind, WorkItem
from baton.sdk.records.limits import since
from baton.sdk.records.transcript import STRETCH
from baton_events.ids import is_child, root_of, step_number
from tests.simulation.guarantee import is_only_marked
from tests.simulation.offloading import an_answer_is_of_its_attempt
from tests.simulation.scripts import INPUT_TOKENS, OUTPUT_TOKENS, TIMER
from tests.simulation.watching import Op, at, of

if TYPE_CHECKING:
    from tests.simulation.world import World


_DAY_MS = 86_400_000


class Write(Struct, frozen=True):
    """One write: what was done, under which claim, the tag before and after, the answer.

    `pays`: the job whose usage ledger has the request; of several writes in one request, one has it.
    """

    world: "World"
    op: Op
    claim: Claim | None
    before: Tree
    after: Tree
    answer: Any
    pays: str = ""

    def changed_items(self) -> Iterator[tuple[str, WorkItem, WorkItem]]:
        """The work items that are others than before: the key, what was, what is."""
        for key, item in self.after.items.items():
            old = self.before.items.get(key)
            if old is not None and old is not item:
                yield key, old, item


def _called_often(tree: Tree, job_id: str) -> int:
    return sum(call.tool not in APPROVALS for call in tree.calls.get(job_id, {}).values())


def requested_by_model(tree: Tree, job_id: str) -> list[CallRecord]:
    """The calls of a job, but for questions to people about them."""
    calls = (call for call in tree.calls.get(job_id, {}).values() if call.tool not in (*APPROVALS, TIMER))
    return sorted(calls, key=lambda call: (call.turn, call.position))


_counts = attrgetter(*COUNTED)


def an_end_is_final(write: Write) -> str | None:
    """One end state in each run, and it never changes; what a retry or a deletion may do, returning.py says.

    An answer that comes later counts, in the usage of no run.
    """
    for job_id, job in write.before.jobs.items():
        now = write.after.jobs.get(job_id)
        if job.ended and now != job and now is not None and now.run == job.run and not _is_late(job, now):
            return f"{job_id} had ended as {job.status}; {write.op} made it {write.after.jobs.get(job_id)}"
    return None


def _is_late(job: Job, now: Job) -> bool:
    """Whether an answer that came after the end is all that differs: it counts in the usage of no run, and once."""
    late, before = now.used - job.used, now.before - job.before
    counts = (late.input_tokens, late.output_tokens) == (before.input_tokens, before.output_tokens)
    rest = replace(now, used=job.used, before=job.before, in_flight=job.in_flight)
    return counts and len(now.in_flight) == len(job.in_flight) - 1 and rest == job


def a_result_stays(write: Write) -> str | None:
    for job_id, results in write.before.results.items():
        now = write.after.results.get(job_id, {})
        if _begins_again(write, job_id):
            continue
        if now is not results and any(now.get(call_id) != text for call_id, text in results.items()):
            return f"{write.op} changed a result of {job_id}: {results} became {now}"
    return None


def _begins_again(write: Write, job_id: str) -> bool:
    old, now = write.before.jobs.get(job_id), write.after.jobs.get(job_id)
    return old is not None and (now is None or now.run != old.run)


def an_item_is_committed_once(write: Write) -> str | None:
    """The first COMMIT of an item wins. A turn's attempt has one a request that is sent for it, a call's one a run."""
    if not isinstance(write.answer, Committed) or write.claim is None:
        return None
    world, item = write.world, write.before.items.get(write.claim.item_key)
    key = f"{write.claim.item_key}/{item.offloaded}" if item and item.offloaded else write.claim.item_key
    if not write.answer.applied:
        unchanged = write.answer.late is not None or is_only_marked(write.before, write.after)
        return None if unchanged else f"{key}: it changed the state and says it did not"
    world.committed[key], world.committed_at[write.claim.item_key] = world.committed[key] + 1, world.loop.seconds
    world.memory.undone_by_a_failover(root_of(write.claim.job_id), lambda: _uncommitted(world, key))
    return f"{key} was committed a second time" if world.committed[key] > 1 else None


def _uncommitted(world: "World", key: str) -> None:
    del world.committed[key]
    world.committed_at.pop(key.partition("/")[0], None)


def a_call_keeps_its_arguments(write: Write) -> str | None:
    """Tool and arguments of a call never change, and its attempts never go down."""
    for job_id, calls in write.before.calls.items():
        now = write.after.calls.get(job_id, {})
        if now is calls or job_id not in write.after.jobs:
            continue
        for call_id, old in calls.items():
            new = now.get(call_id)
            if new is not None and new.approved and not old.approved:
                continue  # what a person approved is what it runs with (approving.py)
            if new is None or (new.tool, new.arguments) != (old.tool, old.arguments) or new.attempts < old.attempts:
                return f"{write.op} made {old} into {new}"
    return None


def parts_are_only_appended(write: Write) -> str | None:
    """What a reader has read stays as it was, and what follows follows it."""
    for kept in ("parts", "transcript"):
        before, after = getattr(write.before, kept), getattr(write.after, kept)
        if after is before:
            continue
        for job_id, entries in before.items():
            now = after.get(job_id, ()) if job_id in write.after.jobs else entries
            if now is not entries and now[: len(entries)] != entries:
                return f"{write.op} changed the {kept} of {job_id}"
    return None


def parts_come_from_live_attempts(write: Write) -> str | None:
    """In mid-work only the holder of the item appends, and each entry once."""
    claim = write.claim
    if claim is None:
        return None
    item = write.before.items.get(claim.item_key)
    if item is None or item.owner != claim.owner:
        return f"{claim.owner} appends to {claim.item_key}, which {item.owner if item else 'nobody'} holds"
    if claim.item_key.startswith("loop:"):
        return None  # what a model says: streaming.py
    added = write.after.parts[claim.job_id][len(write.before.parts[claim.job_id]) :]
    world, shown, count = write.world, (claim.owner, claim.item_key), len(added)
    world.appended[shown] += count
    world.memory.undone_by_a_failover(root_of(claim.job_id), lambda: world.appended.subtract({shown: count}))
    if world.appended[shown] > world.actors.shown[shown]:
        return f"what {claim.owner} said in {claim.item_key} is there twice"
    return None


def a_live_job_has_an_item(write: Write) -> str | None:
    """A job that has not ended has at least one step to do; an ended one its word to the admission, and follow-ups."""
    having = {one.job_id for one in write.after.items.values() if one.kind not in (ItemKind.SLOT_REQUEST, *FOLLOW_UPS)}
    for job_id, job in write.after.jobs.items():
        if job.ended == (job_id in having):
            return f"{job_id} is {job.status} and has {'work items' if job.ended else 'no work item'} after {write.op}"
    return None


def no_turn_begins_while_a_step_is_open(write: Write) -> str | None:
    """The next turn is there when no call of the one before it is left: what came of all of them belongs to it.

    Code and scripts go on with each of their steps.
    """
    code = {name for name, job in write.after.jobs.items() if job.model.runs_code or job.scripts}
    of_models = (item for item in write.after.items.values() if item.job_id not in code)
    turns = {item.job_id: item for item in of_models if item.kind is ItemKind.LOOP}
    for item in write.after.items.values():
        turn = turns.get(item.job_id)
        if turn is not None and item.call_id and item.turn < turn.turn:
            return f"{write.op} begins {turn.key} while {item.key} is open"
    return None


def code_goes_on_with_each_end(write: Write) -> str | None:
    """What has ended waits for a turn that is there, and a turn of code begins for nothing else."""
    for job_id, job in write.after.jobs.items():
        if not (job.model.runs_code or job.scripts) or job.ended:
            continue
        is_cancelled = job.cancelling is not None and not job.cancelling.is_seen
        is_news = is_cancelled or bool(write.after.news(job_id))
        if is_news and not write.after.has_turn(job_id):
            return f"{write.op} leaves {job_id} without a turn for {write.after.news(job_id)}"
        before = write.before.jobs.get(job_id) if job.model.runs_code else None  # a script begins after its model, too
        turns = [item for item in write.after.items.values() if item.job_id == job_id and item.kind is ItemKind.LOOP]
        if len(turns) > 1:
            return f"{write.op} leaves {job_id} two turns: {[item.key for item in turns]}"
        began = [item.turn for item in turns if item.key not in write.before.items]
        if began and before is not None and before.run == job.run and before.turn < began[0] and not is_news:
            return f"{write.op} begins turn {began[0]} of {job_id}, and nothing has ended"
    return None


def code_takes_each_end_once(write: Write) -> str | None:
    """A stretch takes ends of steps that are recorded, and that no stretch before it has taken."""
    for job_id, job in write.after.jobs.items():
        entries = write.after.transcript.get(job_id, ())
        known = len(write.before.transcript.get(job_id, ()))
        if not job.model.runs_code or len(entries) <= known:
            continue
        taken = [set(_stretch_of(entry).get("taken", ())) for entry in entries[job.begins_at :]]
        ended = {step_number(name) for name in write.after.results.get(job_id, ()) if name.count("-") > 2}
        for new in range(max(0, known - job.begins_at), len(taken)):
            if twice := taken[new] & set[int]().union(*taken[:new]):
                return f"{job_id} takes the end of its steps {sorted(twice)} twice"
            if lost := taken[new] - ended:
                return f"{job_id} takes the end of its steps {sorted(lost)}, of which nothing is recorded"
            given_up = _stretch_of(entries[job.begins_at + new]).get("givenUp", ())
            if outlives := write.after.steps(job_id, given_up):
                return f"{job_id} has given up {sorted(outlives)}, which are open"
    return None


def _stretch_of(entry: str) -> dict[str, Any]:
    value = json.loads(entry) if entry.startswith("{") else {}
    return (value.get("provider") or {}).get(STRETCH) or {}


def a_live_job_does_not_expire(write: Write) -> str | None:
    if write.after.expires_ms and not all(job.ended for job in write.after.jobs.values()):
        return f"{', '.join(write.after.jobs)} expires at {write.after.expires_ms} while it lives"
    return None


def what_waits_for_an_ended_job_finds_it(write: Write) -> str | None:
    """Its data stays, however short its own time is, for operations that go on, and for the day of a follow-up."""
    after, now_ms = write.after, write.world.now_ms()
    if not after.expires_ms or write.before.expires_ms:
        return None
    needed_ms = {key: _DAY_MS for key, item in after.items.items() if item.kind in FOLLOW_UPS}
    needed_ms |= {call_id: until_ms - now_ms for call_id, until_ms in after.needed_until.items()}
    short = [name for name, for_ms in needed_ms.items() if for_ms > after.expires_ms]
    return f"{', '.join(after.jobs)} expires in {after.expires_ms} ms, before {short}" if short else None


def limits_hold(write: Write) -> str | None:
    """No limit is exceeded by more than what is in flight: one turn's tokens."""
    for job_id, job in write.after.jobs.items():
        used, limits = since(job.used, job.before), job.limits
        # Those of attempts that died count, too, and leave less room; they are in flight no more.
        tokens = used.turns * (INPUT_TOKENS + OUTPUT_TOKENS)
        if used.turns > limits.turns or used.tool_calls > limits.tool_calls:
            return f"{job_id} used {used} of {limits}"
        if tokens >= limits.tokens + INPUT_TOKENS + OUTPUT_TOKENS:
            return f"{job_id} used {tokens} tokens of {limits.tokens}"
        if job.run == 1 and _called_often(write.after, job_id) > limits.tool_calls:
            return f"{job_id} recorded more than {limits.tool_calls} tool calls"
    return None


def work_begins_with_a_slot(write: Write) -> str | None:
    """Model turns and tool runs begin only while the admission's slot table says that the job holds a slot.

    Where a failover made it forget so, it does not know better until the sweep has compared.
    """
    if write.claim is None or write.answer.verdict is not Verdict.GRANTED or write.claim.answer:
        return None
    item, entry = write.after.items[write.claim.item_key], write.world.admission.entries.get(write.claim.job_id)
    unbooked_until = write.world.memory.unbooked.get(write.claim.job_id, 0.0)
    if item.needs_slot and (entry is None or not entry.slot) and write.world.loop.seconds > unbooked_until:
        return f"{item.key} begins, and its job holds no slot: {entry}"
    return None


def no_item_begins_early(write: Write) -> str | None:
    """A timer is not claimed before its time, by a clock that may be wrong."""
    if write.claim is None or write.answer.verdict is not Verdict.GRANTED or write.claim.answer:
        return None
    item, now_ms = write.before.items[write.claim.item_key], write.world.now_ms() + write.world.plan.skew_ms
    return f"{item.key} begins at {now_ms}, before {item.not_before_ms}" if item.not_before_ms > now_ms else None


def a_sweep_replays_only_what_is_lost(write: Write) -> str | None:
    """A look touches no live lease and no future timer that is not its own, or of who had lost their message."""
    now_ms = write.world.now_ms() + write.world.plan.skew_ms
    for key, old, item in write.changed_items():
        if item.relay_id == old.relay_id:
            continue
        if max(old.lease_until_ms, 0 if old.redelivered and not old.owner else old.not_before_ms) > now_ms:
            return f"{key} is replayed at {now_ms}: {old}"
    return None


def the_ledger_only_grows(write: Write) -> str | None:
    """What a job has used never gets less; each COMMIT of it is one request more at least, several at once are one."""
    for job_id, old in write.before.usage.items():
        now = write.after.usage.get(job_id)
        if now is None or now is old:
            continue
        own = int(write.op == "commit" and write.pays == job_id)
        if now.redis_requests < old.redis_requests + own or any(map(lt, _counts(now), _counts(old))):
            return f"{write.op} made the usage ledger of {job_id} less than they were: {old} became {now}"
    return None


ON_WRITE = (
    of("jobs", an_end_is_final),
    of("usage", the_ledger_only_grows),
    of("results", a_result_stays),
    at("commit", an_item_is_committed_once),
    at("commit", an_answer_is_of_its_attempt),
    of("calls", a_call_keeps_its_arguments),
    of("parts transcript", parts_are_only_appended),
    at("append", parts_come_from_live_attempts),
    of("jobs items", a_live_job_has_an_item),
    of("items", no_turn_begins_while_a_step_is_open),
    of("jobs items ended", code_goes_on_with_each_end),
    of("transcript", code_takes_each_end_once),
    of("jobs expires_ms", a_live_job_does_not_expire),
    of("jobs expires_ms", what_waits_for_an_ended_job_finds_it),
    of("jobs", limits_hold),
    at("claim", work_begins_with_a_slot),
    at("claim", no_item_begins_early),
    at("reconcile", a_sweep_replays_only_what_is_lost),
)


# At each change of the admission's slot table.


def slots_are_not_exceeded(world: "World") -> str | None:
    held = [name for name, entry in world.admission.entries.items() if entry.slot]
    return f"{held} hold slots; there are {world.plan.slots}" if len(held) > world.plan.slots else None


def one_job_of_a_session_at_a_time(world: "World") -> str | None:
    seen: dict[tuple[str, str], str] = {}
    for name, entry in world.admission.entries.items():
        if not entry.slot or is_child(name):
            continue
        if seen.setdefault((entry.tenant, entry.session_id), name) != name:
            return f"{name} and {seen[entry.tenant, entry.session_id]} of session {entry.session_id} hold slots"
    return None


ON_SLOT_TABLE = (slots_are_not_exceeded, one_job_of_a_session_at_a_time)
