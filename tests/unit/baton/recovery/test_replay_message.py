"""A replay never does anything twice, and says what it did not do."""

import pytest

from baton.commands.schedule import recurrence
from baton.queue.ports import QueuedMessage
from baton.recovery.replay_message import MessageState, Replaying
from baton_events.schema import encode_event
from tests.unit.baton.kit.stage import BASE, Stage


def _messages(stage: Stage) -> list[QueuedMessage]:
    return [QueuedMessage(message_id, sent.url, sent.body) for message_id, sent in stage.queue.published]


def _replaying(stage: Stage) -> Replaying:
    emitter, settings = stage.container.emitter, stage.container.settings
    return Replaying(stage.reader, emitter, stage.clock, stage.ports.randomness, settings)


async def test_an_event_whose_step_is_open_is_sent_once_more() -> None:
    """Under an id that the queue does not swallow, each time another one."""
    stage = Stage()
    event = await stage.submit()
    message = _messages(stage)[-1]
    for _ in range(2):
        assert (await _replaying(stage).replay(message)).state is MessageState.DUE
    *_, first, second = stage.outgoing()
    assert first.body == second.body == encode_event(event)
    assert len({first.deduplication_id, second.deduplication_id, ""}) == 3


async def test_an_event_that_was_applied_is_not_sent() -> None:
    """Its job has ended, or is further; what it still expects is counted."""
    stage = Stage()
    first = await stage.submit("adds")
    message = _messages(stage)[-1]
    await stage.deliver(first)
    published = len(stage.queue.published)
    checked = await _replaying(stage).replay(message)
    assert (checked.state, checked.expected) == (MessageState.APPLIED, 2)
    await stage.run()
    assert (await _replaying(stage).replay(message)).state is MessageState.ENDED
    assert len([sent for sent in _messages(stage)[published:] if sent.body == message.body]) == 0


async def test_what_a_job_expects_is_redriven_again() -> None:
    stage = Stage()
    first = await stage.submit("adds")
    await stage.deliver(first)
    lost = len(stage.queue.published)
    stage._delivered = lost
    assert await _replaying(stage).redrive("job_1") == 2
    await stage.run()
    assert (await stage.snapshot()).job.status == "completed"
    assert sorted(stage.step_result.runs) == ["add 1 2", "add 3 4"]
    assert await _replaying(stage).redrive("job_1") == 0


async def test_a_command_may_be_sent_again() -> None:
    stage = Stage()
    await stage.submit("answers")
    backup = _messages(stage)[0]
    await stage.run()
    assert (await _replaying(stage).replay(backup)).state is MessageState.SIGNALLED
    await stage.run()
    assert (await stage.snapshot()).job.status == "completed"


@pytest.mark.parametrize(
    ("url", "body", "state"),
    [
        (f"{BASE}/workers/sweep", '{"dueMs":1}', MessageState.OURS),
        ("https://elsewhere.example/workers/sweep", "{}", MessageState.FOREIGN),
        (f"{BASE}/workersx", "{}", MessageState.FOREIGN),
        (f"{BASE}/api/agent-jobs", "not JSON", MessageState.FOREIGN),
    ],
)
async def test_other_messages_go_to_our_own_endpoints_only(url: str, body: str, state: MessageState) -> None:
    stage = Stage()
    checked = await _replaying(stage).replay(QueuedMessage("msg_x", url, body))
    assert checked.state is state
    assert [sent.url for sent in stage.outgoing()] == ([url] if state is MessageState.OURS else [])


async def test_an_event_of_an_unknown_job_is_not_sent() -> None:
    """It would only be refused until it is dead once more."""
    stage = Stage()
    event = await stage.submit()
    message = _messages(stage)[-1]
    other = Stage()
    assert (await _replaying(other).replay(message)).state is MessageState.UNKNOWN
    assert not other.outgoing()
    assert event.job_id == "job_1"
    assert await _replaying(other).redrive("job_1") == 0


async def test_a_schedule_s_message_starts_its_job_once() -> None:
    """Replaying one that started its job would start another."""
    stage = Stage()
    event = recurrence("sch_1", stage.job("answers"), {"text": "", "data": {}}, {"cron": "* * * * *"})
    message = QueuedMessage("msg_1", f"{BASE}/workers/agent-loop", encode_event(event))
    replaying = _replaying(stage)
    assert [checked.state for checked in await replaying.check([message])] == [MessageState.DUE]
    await stage.deliver(event, "msg_1")
    before = len(stage.outgoing())
    assert (await replaying.replay(message)).state is MessageState.APPLIED
    assert len(stage.outgoing()) == before
