"""The one shell: what becomes of a message in each case, and what it dispatches before it is acknowledged."""

from dataclasses import replace

import pytest
from msgspec import structs

from baton.engine.transitions import JobStatus
from baton.engine.work_items import item_key_of
from baton_events.errors import PublishError
from baton_events.schema import EventType, parse_event
from tests.unit.baton.kit.stage import SETTINGS, Stage

INLINE = replace(SETTINGS, continuation="inline")
LEASE_MS = SETTINGS.work_timeout_seconds * 1000 + 10_000


def kinds(stage: Stage, after: int = 0) -> list[str]:
    return [event.type for event in stage.events()[after:]]


async def test_a_job_runs_to_its_end_by_messages_alone() -> None:
    """Turn, two calls, two results, turn: each step is one event; every tool runs once."""
    stage = Stage()
    await stage.played("adds")
    snapshot = await stage.snapshot()
    assert (snapshot.job.status, snapshot.job.result) == (JobStatus.COMPLETED, {"answer": "3 and 7"})
    assert stage.step_result.runs == ["add 1 2", "add 3 4"]
    assert snapshot.items == ()
    assert kinds(stage) == [
        "agent.loop.init",  # the backup message
        "agent.loop.init",
        "agent.tool.call",
        "agent.tool.call",
        "tool.execution.complete",
        "tool.execution.complete",
        "agent.loop.init",
    ]


async def test_a_granted_item_is_done_and_exactly_what_follows_is_dispatched() -> None:
    stage = Stage()
    first = await stage.submit("adds")
    seen = len(stage.events())
    outcome = await stage.deliver(first, "m-turn")
    assert (outcome.label, outcome.dispatched) == ("done", 2)
    items = await stage.items()
    assert [item_key_of(event) for event in stage.events()[seen:]] == [item.key for item in items]
    assert {item.relay_id for item in items} == {"m-turn"}


async def test_what_was_redriven_anew_is_not_swallowed_where_the_same_delivery_hands_it_on() -> None:
    """Two copies of a message count their retries each for itself; what one redrove is the other's to dispatch."""
    stage = Stage()
    first = await stage.submit("adds")
    await stage.deliver(first, "m-turn")
    for since_ms in (0, 0, 60_000):
        tree = stage.store.tree("job_1")
        redriven = {key: structs.replace(item, since_ms=stage.clock.ms + since_ms) for key, item in tree.items.items()}
        stage.store.write("job_1", structs.replace(tree, items=redriven))
        await stage.deliver(first, "m-turn", retried=1)
    once, again, anew = ({message.deduplication_id for message in stage.outgoing()[at:][:2]} for at in (-6, -4, -2))
    assert len(once) == 2
    assert once == again
    assert not once & anew


async def test_a_busy_item_comes_again_after_the_lease() -> None:
    """No retry is burnt; the event is the same, for the time at which the lease ends."""
    stage = Stage()
    first = await stage.submit("adds")
    item = stage.store.tree("job_1").items["loop:job_1:1:1"]
    held = structs.replace(item, owner="o-other", lease_until_ms=stage.clock.ms + LEASE_MS)
    stage.store.write("job_1", structs.replace(stage.store.tree("job_1"), items={item.key: held}))
    outcome = await stage.deliver(first, "m-second")
    last = stage.outgoing()[-1]
    assert outcome.label == "busy"
    assert parse_event(last.body.encode()) == first
    assert last.not_before_ms == stage.clock.ms + LEASE_MS


async def test_an_event_that_is_early_comes_again_when_it_is_due() -> None:
    """For instance because the queue's longest delay is shorter than the job's."""
    stage = Stage()
    job = structs.replace(stage.job("answers"), start_at_ms=stage.clock.ms + 500_000)
    await stage.container.commands.submit(job, {"text": "", "data": {}})
    outcome = await stage.deliver(stage.events()[-1], "m1")
    assert outcome.label == "early"
    assert stage.outgoing()[-1].not_before_ms == job.start_at_ms


async def test_a_queue_that_fails_leaves_the_message_unacknowledged() -> None:
    stage = Stage()
    first = await stage.submit("adds")
    stage.queue.failing.append(PublishError("full"))
    with pytest.raises(PublishError):
        await stage.deliver(first, "m-turn")
    outcome = await stage.deliver(first, "m-turn", retried=1)
    assert (outcome.label, outcome.dispatched) == ("applied", 2)
    await stage.run()
    assert (await stage.snapshot()).job.status is JobStatus.COMPLETED
    assert stage.step_result.runs == ["add 1 2", "add 3 4"]


async def test_the_tool_executor_never_goes_into_a_model_turn() -> None:
    """So that it stays free of model libraries: the next turn is published."""
    stage = Stage(settings=INLINE)
    first = await stage.submit("adds")
    await stage.deliver(first, "m-turn", retried=1)
    calls = stage.events()[-2:]
    seen = len(stage.events())
    for number, call in enumerate(calls):
        await stage.deliver(call, f"m-call{number}")
    assert kinds(stage, seen) == ["agent.loop.init"]


async def test_a_function_refuses_work_that_is_not_its_own() -> None:
    stage = Stage()
    first = await stage.submit("adds")
    pipeline = stage.pipeline(EventType.LOOP_INIT)
    pipeline._executors = {}
    with pytest.raises(ValueError, match="this function cannot do CallModel"):
        await stage.deliver(first)
