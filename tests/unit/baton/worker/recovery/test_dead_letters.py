"""Messages that the queue has given up on: the hourly sweep and people have them delivered again, never twice."""

import pytest

from baton.engine.transitions import JobStatus
from baton.queue.ports import QueuedMessage
from baton.worker.commands.schedule import recurrence
from baton.worker.recovery.redelivery import read_callback
from baton.worker.recovery.replay_message import MessageState, Replaying
from baton.worker.recovery.undelivered import REFUSED_STATUS
from baton_events.errors import QueueUnreachableError
from baton_events.messages import Outgoing
from baton_events.schema import DELIVERY_FAILED_ENDPOINT, encode_event
from baton_events.sealing import Sealing
from tests.unit.baton.kit.giving_up import callback, redelivery_of
from tests.unit.baton.kit.stage import BASE, Stage

URL = f"{BASE}{DELIVERY_FAILED_ENDPOINT}"


async def dead(stage: Stage, url: str = URL, status: int = 503, body: str = "{}") -> str:
    [message_id] = await stage.queue.publish([Outgoing(body=body, url=url)])
    return stage.records.die(message_id, status)


async def test_the_backstop_has_them_delivered_again_and_nothing_else() -> None:
    """Not what the endpoint refused for good, nor what has a failure callback of its own; an armed sweep does not."""
    stage = Stage()
    mine = await dead(stage)
    others = [await dead(stage, status=REFUSED_STATUS), await dead(stage, f"{BASE}/webhooks/agent-tool-call")]
    assert (await stage.swept(stage.clock.ms)).dispatched == 0
    assert list(stage.records.dead) == [mine, *others]
    assert (await stage.swept()).dispatched == 1
    assert list(stage.records.dead) == others


async def test_a_job_that_only_a_dead_callback_knows_of_ends(caplog: pytest.LogCaptureFixture) -> None:
    """Its creation was forgotten, and an outage outlasted its backup message and the callback about that."""
    stage = Stage()
    await stage.submit()
    backup = stage.events()[0]
    stage.store.trees.clear()
    await dead(stage, body=callback(encode_event(backup).encode()).decode())
    await stage.swept()
    again = stage.outgoing()[-1]
    assert again.url == URL
    await redelivery_of(stage).handle(read_callback(again.body.encode(), Sealing({})), "cb1", 0)
    await stage.run()
    assert (await stage.now()).status is JobStatus.COMPLETED
    assert "1 failure callback(s) had used up their retries" in caplog.text


async def test_a_queue_that_does_not_answer_is_tried_when_the_sweep_comes_again() -> None:
    """Its message fails once all else is done, so that nobody waits another hour; of several pages only the last."""
    stage = Stage()
    mine = await dead(stage)
    stage.records.failing.append(QueueUnreachableError("http://queue.test", "down"))
    with pytest.raises(QueueUnreachableError, match="down"):
        await stage.swept()
    assert mine in stage.records.dead
    assert (await stage.swept(again=True)).dispatched == 1
    assert mine not in stage.records.dead


def _messages(stage: Stage) -> list[QueuedMessage]:
    return [QueuedMessage(message_id, sent.url, sent.body) for message_id, sent in stage.queue.published]


def _replaying(stage: Stage) -> Replaying:
    emitter, settings = stage.container.emitter, stage.container.settings
    return Replaying(stage.reader, stage.records, emitter, stage.clock, stage.ports.randomness, settings)


async def test_an_event_whose_step_is_open_is_sent_once_more() -> None:
    stage = Stage()
    event = await stage.submit()
    message = _messages(stage)[-1]
    for _ in range(2):
        assert (await _replaying(stage).replay(message)).state is MessageState.DUE
    *_, first, second = stage.outgoing()
    assert first.body == second.body == encode_event(event)
    assert len({first.deduplication_id, second.deduplication_id, ""}) == 3


async def test_a_dead_letter_that_is_sent_once_more_is_one_no_longer() -> None:
    """What comes of the new message stands in its place; letters of others, and of what is not sent, stay."""
    stage = Stage()
    event = await stage.submit()
    message, other = _messages(stage)[-1], await dead(stage)
    stage.records.die(message.id)
    await _replaying(stage).replay(message)
    assert list(stage.records.dead) == [other]
    await stage.deliver(event)
    again = stage.records.die(message.id)
    assert (await _replaying(stage).replay(message)).state is MessageState.APPLIED
    assert list(stage.records.dead) == [other, again]


async def test_an_event_that_was_applied_is_not_sent_but_what_its_job_expects() -> None:
    """A job whose messages were all lost goes on to its end."""
    stage = Stage()
    first = await stage.submit("adds")
    message = _messages(stage)[-1]
    await stage.deliver(first)
    published = stage._delivered = len(stage.queue.published)
    checked = await _replaying(stage).replay(message)
    assert (checked.state, checked.expected) == (MessageState.APPLIED, 2)
    assert await _replaying(stage).replay_job("job_1") == 2
    await stage.run()
    assert (await stage.now()).status == "completed"
    assert sorted(stage.step_result.runs) == ["add 1 2", "add 3 4"]
    assert (await _replaying(stage).replay(message)).state is MessageState.ENDED
    assert await _replaying(stage).replay_job("job_1") == 0
    assert [sent for sent in _messages(stage)[published:] if sent.body == message.body] == []


async def test_a_command_may_be_sent_again() -> None:
    """A submission's backup message: the first one stays."""
    stage = Stage()
    await stage.played("answers")
    assert (await _replaying(stage).replay(_messages(stage)[0])).state is MessageState.SIGNALLED
    await stage.run()
    assert (await stage.now()).status == "completed"


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
    assert await _replaying(other).replay_job("job_1") == 0


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
