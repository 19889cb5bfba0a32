"""What must hold at the end of a world, when nothing is left to happen, job by job; by name, like invariants.py."""

import json
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from baton.engine.all_jobs.slots import QueueEntry
from baton.engine.waits import status_and_wait
from baton_events.ids import call_of_operation, canonical_json, event_id, job_of_call, operation_id, root_of
from tests.simulation.approving import ON_APPROVALS_AT_END
from tests.simulation.background import is_in_background
from tests.simulation.call_limits import ON_ALL_LIMITED
from tests.simulation.constants import DELIVERY_BUDGET
from tests.simulation.dying import died_in
from tests.simulation.ended import Ended, came_to, depth_of
from tests.simulation.hosted import ON_HISTORY_AT_END
from tests.simulation.invariants import requested_by_model
from tests.simulation.listed import ON_ALL_STORED, ON_LISTED
from tests.simulation.objects import whole
from tests.simulation.returning import ON_RETURNS_AT_END, check_deletions
from tests.simulation.scripts import TIMER, expected, place_of
from tests.simulation.sessions import ON_ALL_ENDED, ON_ALL_STEERED, ON_STEERED_AT_END, more_turns
from tests.simulation.starters import ON_ALL_EMITTED, ON_ALL_SCHEDULED
from tests.simulation.streaming import ON_STREAMS_AT_END, a_reader_has_the_stream
from tests.simulation.tenants import ON_ALL_MOVED
from tests.simulation.waiting_endings import (
    ON_ALL_IN_BACKGROUND,
    ON_BACKGROUND_AT_END,
    ON_TAKEN,
    ON_WAITS_AT_END,
    messages_of_waits,
)
from tests.simulation.waiting_jobs import DAY_SECONDS

if TYPE_CHECKING:
    from tests.simulation.world import World


def every_job_ends(end: Ended) -> str | None:
    """Every job that exists ends within a day after the faults; until then it says what it waits for.

    Without the hourly backstop that is promised as long as nothing of its tree was left to the sweep (excuses.py), and
    of those that keep a slot, or a session, from it.
    """
    world = end.world
    if end.job.ended or (not world.plan.backstop and _waits_for_the_sweep(end)):
        return None
    items = list(end.tree.items.values())
    _, line = status_and_wait(end.job, items, end.tree.slot_state(end.job.id), world.now_ms())
    return f"{end.job.id} of {end.plan.agent} is {end.job.status}, waits for {line}: {items}"


def _waits_for_the_sweep(end: Ended) -> bool:
    """Whether something of its tree was left to the sweep, or a job of it is in line behind such a tree."""
    left = end.world.excused.roots | end.world.delivery.lost
    if root_of(end.job.id) in left:
        return True
    ahead = {root_of(name) for name, entry in end.world.admission.entries.items() if entry.want != "gone"}
    in_line = any(line.want == "slot" and not line.slot for line in map(end.tree.slot_state, end.tree.jobs))
    return in_line and not left.isdisjoint(ahead)


def a_job_ends_as_its_script_says(end: Ended) -> str | None:
    """The answer, the failure, the limit that stopped it."""
    job, must = end.job, end.must
    if end.undeliverable or end.cancelled or end.shortened or not job.ended:
        return None
    if job.run > 1:
        return _ends_in_a_later_run(end)
    result = job.result or {}
    got = (job.status, result.get("answer", ""), result.get("stoppedBy", ""), job.error.type if job.error else "")
    want = (must.status, must.answer, must.stopped_by, must.error)
    more = more_turns(end)
    if len(more) > 1 and (got[2] or got[3] == "limit_exceeded"):  # a turn for what it was told took the room
        return None
    turns = job.used.turns - must.turns
    if job.model.runs_code:  # a stretch takes one end or several
        turns = 0 if 0 <= turns <= job.used.tool_calls else turns
    if got != want or turns not in more:
        return f"{job.id} ended as {got} after {job.used.turns} turns; its script says {want} after {must.turns}"
    return None


def _ends_in_a_later_run(end: Ended) -> str | None:
    """Limits count anew, and calls have more attempts: with limits, or steps that may fail, it is a matter of time."""
    script = end.plan.scripts()[end.job.agent]
    if script.limits or script.plans or end.job.status == end.must.status:
        return None
    return f"{end.job.id} ended as {end.job.status} in run {end.job.run}; its script says {end.must.status}"


def a_cancelled_job_is_cancelled(end: Ended) -> str | None:
    if end.job.id in end.world.memory.reopened or end.world.returns.requested[end.job.id]:
        return None  # forgotten; it may have ended otherwise before the backup message told it again
    if end.job.id in end.world.cancelled and end.job.status != "cancelled":
        return f"{end.job.id} was said to be cancelled and is {end.job.status}"
    return None


def undeliverable_only_with_the_budget_spent(end: Ended) -> str | None:
    """A job fails for want of delivery only when the queue gave up on one event more often than the budget allows."""
    if end.undeliverable and max(end.world.delivery.times_dead.values(), default=0) <= DELIVERY_BUDGET:
        return f"{end.job.id} failed: {end.job.error}"
    return None


def calls_end_as_the_script_says(end: Ended) -> str | None:
    """Each call once, with the right number of attempts, and the right result or error."""
    if end.undeliverable or end.cancelled or end.shortened or not end.job.ended or end.must.calls is None:
        return None
    if end.job.run > 1:
        return None  # an_ended_run_leaves_no_call_open; how often each was tried is a matter of time
    calls = requested_by_model(end.tree, end.job.id)
    stored_of = end.tree.results.get(end.job.id, {})
    results = {call_id: whole(end.world, json.loads(text)) for call_id, text in stored_of.items()}
    script = end.plan.scripts()[end.job.agent]
    calls = sorted(calls, key=lambda call: place_of(script, call))
    got = [(*place_of(script, c), c.tool, c.attempts, c.error.type if c.error else "") for c in calls]
    want = [(c.turn, c.position, c.tool, c.attempts, c.error) for c in end.must.calls]
    if got != want:
        return f"{end.job.id} has the calls {got}; its script says {want}"
    for record, must in zip(calls, end.must.calls, strict=True):
        stored = results.get(record.id, {})
        error = stored.get("error", {}).get("type", "")
        if not must.attempts:  # a call that cannot run has its error in its record only
            error = record.error.type if record.error else ""
        right = (
            error == must.error
            if must.error
            else canonical_json(stored.get("ok")) == (must.came or canonical_json({"number": must.number}))
        )
        if not right:
            return f"{record.id} has the result {stored}; its script says {must}"
    return None


def one_entry_for_each_handled_event(end: Ended) -> str | None:
    """The timeline has one entry for each work item that was committed, and for each that was taken in with its run.

    What follows an end has none, nor has a slot request, but for one that could not be delivered: with it the job
    failed.
    """
    slot_requests = (
        {event_id(key) for key in end.committed if key.startswith("slot_request:")} if end.undeliverable else set()
    )
    found = Counter(part["data"]["eventId"] for part in end.parts if part["type"] == "data-event")
    found = Counter({name: count for name, count in found.items() if name not in slot_requests or count > 1})
    keys = [key for key in end.committed if not key.startswith(("slot_request:", "notify:"))]
    done = Counter(map(event_id, keys))
    runs = [key.removeprefix("call:") for key in keys if key.startswith("call:")]
    with_it = {event_id(f"{kind}:{run}") for kind in ("complete", "failed") for run in runs}
    more = found - done
    if set(end.world.plan.modes) != {"literal"} and set(more) <= with_it and max(more.values(), default=1) == 1:
        found = found - more
    return None if found == done else f"{end.job.id} tells {found}; committed were {done}"


def the_stream_has_one_beginning_and_one_end(end: Ended) -> str | None:
    """`start` first, `finish` last, once in each run; a step for each turn that the model answered; each call once."""
    types = [part["type"] for part in end.parts]
    if not end.job.ended:
        return None
    if (
        types[0] != "start"
        or types[-1] != "finish"
        or [types.count("start"), types.count("finish")] != [end.job.run] * 2
    ):
        return f"{end.job.id}: {types}"
    abandoned = types.count("data-retry")
    if types.count("start-step") != end.job.used.turns + abandoned:
        return f"{end.job.id}: {types.count('start-step')} steps for {end.job.used.turns} turns, {abandoned} abandoned"
    inputs = (part for part in end.parts if part["type"] == "tool-input-available")
    requested = Counter(part["toolCallId"] for part in inputs if part["toolName"] != TIMER)
    if requested != Counter(call.id for call in requested_by_model(end.tree, end.job.id)):
        return f"{end.job.id}: the stream has the calls {requested}"
    return None


def messages_are_few(end: Ended) -> str | None:
    """No storm: one message for a work item and two for a call of the API; with faults so many more for each."""
    world, items = end.world, len(end.committed)
    published = world.queue.accepted[end.job.id]
    calls = world.api_calls[end.job.id] + (0 if end.job.parent_call else world.api_calls[end.plan.agent])
    most = 1 + items + 2 * calls + (6 if end.plan.delay_seconds else 0) + messages_of_waits(end)
    most += 4 * world.actors.again[end.job.id]  # the slot may be given back and requested in between
    most += 4 * world.provider.requests_of(end.plan)  # with a timer, the answer, and a failure callback
    # What a cancellation drops was dispatched before: each call's work item, and the slot request that was told of its
    # slot meanwhile. So was what a step drops that fails its job.
    drops = ("cancelled", "failed") if end.plan.scripts()[end.job.agent].plans else ("cancelled",)
    most += 1 + len(end.tree.calls.get(end.job.id, ())) if end.job.status in drops else 0
    # Each call of a submission that interrupts may cancel it, with a backup message; one that steers may tell it.
    others = (plan for plan in world.plan.jobs if plan.interrupts or plan.when_busy == "steer")
    most += 2 * sum(world.api_calls[plan.agent] for plan in others)
    most += world.notified_by_sweeps[end.job.id]  # of the slot that it has, which whoever gave it tells it, too
    most += world.call_limits.messages[end.job.id]  # a call that waits comes again, or is woken
    most += 3 if end.plan.emitted else 0  # the event, a copy of the submission, and a dead letter
    if not world.plan.faultless:
        most += 2 * items + 6 * len(world.faults.happened) + 10 * len(world.plan.outages) + 30
        most += (items + 20) * len(world.memory.failovers) + 2 * world.delivery.places.refused
    if published > most:
        return f"{end.job.id} took {published} messages for {items} work items; {most} are enough"
    return None


AT_END = (
    every_job_ends,
    a_cancelled_job_is_cancelled,
    undeliverable_only_with_the_budget_spent,
    a_job_ends_as_its_script_says,
    calls_end_as_the_script_says,
    one_entry_for_each_handled_event,
    the_stream_has_one_beginning_and_one_end,
    messages_are_few,
    *ON_HISTORY_AT_END,
    *ON_WAITS_AT_END,
    *ON_APPROVALS_AT_END,
    *ON_RETURNS_AT_END,
    *ON_STEERED_AT_END,
)


def check_readers(world: "World") -> None:
    """Hold what was read to what is stored; after a failover positions may mean other parts."""
    for reader in world.readers:
        if not world.memory.ever_lost_writes(reader.job_id):
            tree = world.tree(reader.job_id)
            ended = reader.job_id in tree.jobs and tree.jobs[reader.job_id].ended
            text = a_reader_has_the_stream(reader, reader.all_of(tree), ended=ended)
            if text:
                world.broken("a_reader_has_the_stream", text)


def check_endings(world: "World") -> None:
    for job_id in world.accepted_jobs:
        if job_id not in world.tree(job_id).jobs and job_id not in world.returns.deleting:
            world.broken("an_accepted_job_exists", f"{job_id} was accepted and is not known")
            return
    check_deletions(world)
    for shown in world.outside.taken:
        world.check(ON_TAKEN, (world, shown))
    committed = defaultdict[str, list[str]](list)
    for key in world.committed:
        name = key.split(":")[1]
        committed[job_of_call(name) if call_of_operation(operation_id(name)) else name].append(key.partition("/")[0])
    for tree in world.trees.values():
        for job in tree.jobs.values():
            plan = world.outside.plan_of(job.agent)
            must = expected(
                plan.scripts()[job.agent],
                came_to(world, tree, job),
                depth_of(world, tree, job),
                died_in(world, tree, job),
            )
            parts = tuple(json.loads(f"[{','.join(tree.parts[job.id])}]"))
            end = Ended(world, plan, job, tree, must, parts, committed[job.id])
            if is_in_background(tree, job):
                world.check(ON_BACKGROUND_AT_END, end)
                continue
            world.check((*ON_STREAMS_AT_END, *AT_END) if world.plan.streams else AT_END, end)
    check_readers(world)
    of_kinds = (*ON_ALL_STORED, *ON_ALL_SCHEDULED, *ON_ALL_STEERED, *ON_ALL_EMITTED, *ON_ALL_IN_BACKGROUND)
    world.check((*ON_ALL_ENDED, *ON_ALL_LIMITED, *ON_ALL_MOVED, *of_kinds), world)
    if world.plan.backstop:  # else an end may not be told: that is left to it
        world.check(ON_LISTED, world)
    if left := _left_in_the_slot_table(world):
        world.broken("the_book_is_empty_at_last", f"nobody is left, but for {left}")


def _left_in_the_slot_table(world: "World") -> dict[str, QueueEntry]:
    """Who is gone since less than a day leaves with the next sweep, of which there is one a day when all is calm."""
    if not world.plan.backstop:
        return {}
    now_ms, day_ms = world.now_ms(), DAY_SECONDS * 1000
    entries = world.admission.entries.items()
    return {name: entry for name, entry in entries if entry.want != "gone" or now_ms - entry.since_ms > day_ms}
