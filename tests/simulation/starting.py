"""What must hold when a tool starts, by name, like invariants.py."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from baton.engine.state import CallRecord
from baton.sdk.tools.context import ToolContext
from baton_events.ids import canonical_json
from tests.simulation.constants import LEASE_MARGIN_SECONDS, LEASE_SECONDS
from tests.simulation.scripts import APPROVED_TOOLS, LONGEST_TOOL_SECONDS

if TYPE_CHECKING:
    from tests.simulation.invocation import Invocation
    from tests.simulation.world import World


@dataclass(slots=True)
class Run:
    """One run of a tool: which attempt, whose, when it was claimed, since when its lease counts, in which run.

    `key`: its idempotency key. `limit_seconds`: of a tool that blocks; 0: it does not. `goes_on`: it is not over.
    `given_back`: its claim is, so its end is no death.
    """

    item_key: str
    owner: str
    who: "Invocation"
    claimed_at: float
    leased_at: float
    started_at: float
    key: str
    of: int = 1
    limit_seconds: float = 0.0
    goes_on: bool = True
    ended_at: float = 0.0
    look: int = 0
    given_back: bool = False


@dataclass(frozen=True, slots=True)
class Start:
    world: "World"
    tool: str
    arguments: dict[str, Any]
    context: ToolContext
    run: Run


def one_idempotency_key_per_call(start: Start) -> str | None:
    """All attempts of a call have the same key, and no other call has it.

    A tool that needs approval has a key for each set of arguments that a person has let it run with in this place of
    the turn, whatever was asked there: a turn that a failover forgot may ask for something else.
    """
    keys, context = start.world.actors.keys, start.context
    call_id, key = context.call_id, context.idempotency_key
    if start.tool in APPROVED_TOOLS:
        call_id = call_id.rpartition("-")[0] + canonical_json(start.arguments)
    if keys.setdefault(f"call {call_id}", key) != key:
        return f"{call_id} runs with {key}, after {keys[f'call {call_id}']}"
    if keys.setdefault(f"key {key}", call_id) != call_id:
        return f"{call_id} runs with the key of {keys[f'key {key}']}"
    return None


def what_runs_is_what_is_recorded(start: Start) -> str | None:
    """A tool gets the arguments that are recorded, under the id that is recorded.

    Those that a person has changed may be forgotten between its claim and its start: the decision is told again.
    """
    record = start.world.tree(start.context.job_id).calls.get(start.context.job_id, {}).get(start.context.call_id)
    if record is None:
        return None if forgotten(start) else f"{start.context.call_id} runs and is not recorded"
    if start.tool in APPROVED_TOOLS and forgotten(start):
        return None
    if (record.tool, _replayed(start, record)) != (start.tool, start.arguments):
        return f"{start.tool} runs with {start.arguments}; recorded is {record}"
    return None


def _replayed(start: Start, record: CallRecord) -> dict[str, Any]:
    """The recorded arguments, with what a step refers to: each call returns its number."""
    referred = record.arguments["nonce"]
    if not isinstance(referred, dict):
        return record.arguments
    step = referred["$resultOf"]["step"]
    before = start.world.tree(start.context.job_id).calls[start.context.job_id][record.after[step]]
    return {**record.arguments, "nonce": before.arguments["number"]}


def a_step_starts_after_those_before_it(start: Start) -> str | None:
    if forgotten(start) or overtaken(start):
        return None
    job_id, tree = start.context.job_id, start.world.tree(start.context.job_id)
    record = tree.calls[job_id][start.context.call_id]
    for name, before in record.after.items():
        inline_continuation = [
            item.key for item in tree.items.values() if before in (item.call_id, item.approval_of_call)
        ]
        if inline_continuation or before not in tree.results.get(job_id, {}):
            return f"{record.step} starts before {name} is over: {inline_continuation or 'no result'}"
    return None


def a_skipped_step_does_not_start(start: Start) -> str | None:
    if forgotten(start) or overtaken(start):
        return None
    record = start.world.tree(start.context.job_id).calls[start.context.job_id][start.context.call_id]
    if record.error is not None and record.error.type == "skipped":
        return f"{record.step} starts, and was left out: {record.error.message}"
    return None


def a_finished_call_does_not_run_again(start: Start) -> str | None:
    """A call with a result never starts again, but in a process that claimed it before there was one, and slept."""
    job_id, call_id = start.context.job_id, start.context.call_id
    if call_id in start.world.tree(job_id).results.get(job_id, {}) and not overtaken(start):
        return f"{call_id} starts again, attempt {start.context.attempt}, though its result is recorded"
    return None


def an_attempt_is_the_next_one(start: Start) -> str | None:
    """Attempts count 1, 2, …: an attempt starts when the one before it is recorded, and goes on as itself."""
    if forgotten(start):
        return None
    record = start.world.tree(start.context.job_id).calls[start.context.job_id][start.context.call_id]
    new = 0 if start.context.memo else 1  # it goes on, or it begins
    if start.context.attempt != record.attempts + new and not overtaken(start):
        return (
            f"attempt {start.context.attempt} of {start.context.call_id} starts after {record.attempts} recorded ones"
        )
    return None


def one_run_under_a_live_lease(start: Start) -> str | None:
    """While an attempt goes on and its lease is live, nobody else starts it, but in a later run of its job."""
    for run in start.world.actors.runs.get(start.context.call_id, ()):
        if (
            not run.goes_on
            or run.item_key != start.run.item_key
            or (run.of, run.look) != (start.run.of, start.run.look)
            or run.given_back  # a thread goes on without it
            or _slept(start, run)
            or _slept(start, start.run)
        ):
            continue
        # A failover may forget the claim, that it was prolonged, or that its job has ended: then nobody prolongs it.
        if not start.world.memory.lost_writes(start.context.job_id, run.claimed_at) and not forgotten(start):
            return f"{run.item_key} starts a second time while it runs, claimed at {run.claimed_at:.3f}"
    return None


def overtaken(start: Start) -> bool:
    """Whether somebody committed this attempt after this run had claimed it."""
    return start.world.committed_at.get(start.run.item_key, 0.0) > start.run.claimed_at


def forgotten(start: Start) -> bool:
    """Whether a failover met the job after this run had claimed its item, or it is deleted: what it knows is old."""
    if start.context.job_id not in start.world.tree(start.context.job_id).jobs:
        return True
    return start.world.memory.lost_writes(start.context.job_id, start.run.claimed_at)


def _slept(start: Start, run: "Run") -> bool:
    """Whether this run's lease may be over by now, with wrong clocks.

    It is prolonged up to its work's limit and the margin, but by a process that has stood still, or met a fault. The
    limit of a tool that blocks begins with its thread, and nobody prolongs anything for a thread that is given up.
    """
    world, lease_seconds = start.world, LEASE_SECONDS
    if run.goes_on and run is not start.run and not (run.who.dead or run.who.stalled or run.who.faulty):
        limit_seconds = min(world.plan.work_timeout_seconds, 2 * LONGEST_TOOL_SECONDS)
        if run.limit_seconds:
            limit_seconds = run.started_at - run.claimed_at + run.limit_seconds
        lease_seconds = limit_seconds + LEASE_MARGIN_SECONDS
    return world.loop.seconds - run.leased_at >= lease_seconds - 2 * world.plan.skew_ms / 1000


ON_START = (
    a_skipped_step_does_not_start,
    a_step_starts_after_those_before_it,
    what_runs_is_what_is_recorded,
    one_idempotency_key_per_call,
    a_finished_call_does_not_run_again,
    an_attempt_is_the_next_one,
    one_run_under_a_live_lease,
)
