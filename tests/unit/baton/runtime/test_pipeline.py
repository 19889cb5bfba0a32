"""The one shell: what becomes of a message in each case, and what it dispatches before it is acknowledged."""

from dataclasses import replace

import pytest
from msgspec import structs

from baton.engine.transitions import JobStatus
from baton.engine.work_items import item_key_of
from baton_events.errors import PublishError, UnknownJobError
from baton_events.schema import Event, EventType, ToolPayload, event_type, parse_event
from tests.unit.baton.kit.stage import SETTINGS, Stage

INLINE = replace(SETTINGS, continuation="inline")
LEASE_MS = SETTINGS.work_timeout_seconds * 1000 + 10_000


def keys_of(events: list[Event]) -> list[str]:
    """Which work items these events are of."""
    return [item_key_of(event) for event in events]


def kinds(stage: Stage, after: int = 0) -> list[str]:
    """The types of what was published after the first `after` events."""
    return [event.type for event in stage.events()[after:]]


async def begun_fan_out(stage: Stage) -> list[Event]:
    """A job whose first turn has asked for two tools; their events."""
    first = await stage.submit("adds")
    seen = len(stage.events())
    await stage.deliver(first, "m-turn")
    return stage.events()[seen:]


async def test_a_job_runs_to_its_end_by_messages_alone() -> None:
    """Turn, two calls, two results, turn: each step is one event; every tool runs once."""
    stage = Stage()
    await stage.submit("adds")
    await stage.run()
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
    """In one request, carried by the message."""
    stage = Stage()
    first = await stage.submit("adds")
    seen = len(stage.events())
    outcome = await stage.deliver(first, "m-turn")
    assert (outcome.label, outcome.dispatched) == ("done", 2)
    items = await stage.items()
    assert keys_of(stage.events()[seen:]) == [item.key for item in items]
    assert {item.relay_id for item in items} == {"m-turn"}


async def test_the_same_message_again_dispatches_again_and_does_nothing() -> None:
    """Its acknowledgement was lost: under another redrive, so that the queue does not swallow it."""
    stage = Stage()
    first = await stage.submit("adds")
    await stage.deliver(first, "m-turn")
    seen = len(stage.outgoing())
    outcome = await stage.deliver(first, "m-turn", retried=1)
    assert (outcome.label, outcome.dispatched) == ("applied", 2)
    again, before = stage.outgoing()[seen:], stage.outgoing()[seen - 2 : seen]
    assert [message.body for message in again] == [message.body for message in before]
    assert not {message.deduplication_id for message in again} & {message.deduplication_id for message in before}


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


async def test_another_message_for_an_item_that_is_gone_dispatches_nothing() -> None:
    """A duplicate carries nothing."""
    stage = Stage()
    first = await stage.submit("adds")
    await stage.deliver(first, "m-turn")
    outcome = await stage.deliver(first, "m-copy")
    assert (outcome.label, outcome.dispatched) == ("applied", 0)


async def test_siblings_are_never_dispatched() -> None:
    """A call's message dispatches its own result, and nothing of the calls beside it."""
    stage = Stage()
    call, _ = await begun_fan_out(stage)
    seen = len(stage.events())
    await stage.deliver(call, "m-call")
    assert kinds(stage, seen) == ["tool.execution.complete"]


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


async def test_a_job_that_forgot_what_the_admission_knows_of_it_asks_again() -> None:
    """A failover took its end from it: its slot request is older than that, and is made anew in the same invocation."""
    stage = Stage()
    await stage.submit("answers")
    await stage.run()
    stage.store.trees.clear()
    await stage.submit("answers")
    await stage.run()
    assert (await stage.snapshot()).job.status is JobStatus.COMPLETED


async def test_an_event_of_an_unknown_job_is_refused_until_its_backup_has_come() -> None:
    """5xx: the queue tries again; nothing is published."""
    stage = Stage()
    first = await stage.submit("adds")
    stage.store.trees.clear()
    seen = len(stage.outgoing())
    with pytest.raises(UnknownJobError, match="job job_1 is not known"):
        await stage.deliver(first)
    assert len(stage.outgoing()) == seen


async def test_work_without_a_slot_waits_in_the_state() -> None:
    """A second job of the session: its turn is not dispatched before the first has ended."""
    stage = Stage()
    await stage.container.commands.submit(stage.job("answers", "job_1", session="s"), {"text": ""})
    await stage.container.commands.submit(stage.job("answers", "job_2", session="s"), {"text": ""})
    assert not stage.entry("job_2").slot
    await stage.run()
    for job_id in ("job_1", "job_2"):
        assert (await stage.snapshot(job_id)).job.status is JobStatus.COMPLETED


async def test_a_queue_that_fails_leaves_the_message_unacknowledged() -> None:
    """Whatever is raised goes up, and the redelivery does the same again."""
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


async def test_an_instance_that_comes_back_after_its_lease_is_overtaken_and_changes_nothing() -> None:
    """The first COMMIT counts."""
    stage = Stage()
    call, _ = await begun_fan_out(stage)
    payload = call.payload
    assert isinstance(payload, ToolPayload)
    tree = stage.store.tree("job_1")
    without = {key: item for key, item in tree.items.items() if item.call_id != payload.call_id}

    def somebody_else_finishes() -> None:
        stage.store.write("job_1", structs.replace(stage.store.tree("job_1"), items=without))

    stage.step_result.while_running = somebody_else_finishes
    outcome = await stage.deliver(call, "m-late")
    assert (outcome.label, outcome.dispatched) == ("overtaken", 0)
    assert payload.call_id not in (await stage.snapshot()).results


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
    """It says that the event belongs elsewhere."""
    stage = Stage()
    first = await stage.submit("adds")
    pipeline = stage.pipeline(EventType.LOOP_INIT)
    pipeline._executors = {}
    with pytest.raises(ValueError, match="this function cannot do CallModel"):
        await stage.deliver(first)


async def test_a_tool_that_fails_is_tried_again_later_and_then_given_to_the_model() -> None:
    """Two attempts, a second apart."""
    stage = Stage()
    await stage.submit("breaks")
    began_ms = stage.clock.ms
    await stage.run()
    [call] = await stage.calls()
    assert stage.step_result.runs == ["broken", "broken"]
    assert (call.status, call.attempts) == ("failed", 2)
    assert (await stage.snapshot()).job.result == {"answer": "gave up"}
    later = [message for message in stage.outgoing() if "agent.tool.call" in message.body][-1]
    assert later.not_before_ms >= began_ms + 1_000


async def test_each_event_goes_to_the_function_of_its_type() -> None:
    """By URL, below the base."""
    stage = Stage()
    await stage.submit("breaks")
    await stage.run()
    for message in stage.outgoing():
        if "x-event-id" in message.headers:
            kind = event_type(parse_event(message.body.encode()))
            assert message.url == SETTINGS.event_url(kind)


async def test_a_job_that_was_cancelled_meanwhile_takes_no_result() -> None:
    """The tool that runs then finds its work item gone."""
    stage = Stage()
    call, _ = await begun_fan_out(stage)
    job = (await stage.snapshot()).job
    await stage.container.commands.cancel(job, "somebody")
    outcome = await stage.deliver(call, "m-call")
    assert (outcome.label, outcome.dispatched) == ("applied", 0)
    assert stage.step_result.runs == []
