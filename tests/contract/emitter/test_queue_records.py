"""What the queue's records say: the fake and the real ones, read through the SDK, alike."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from baton.clock import SystemClock
from baton.queue.ports import QueueRecords
from baton.queue.qstash.publisher import QStashQueue
from baton.queue.qstash.records import QStashRecords
from baton_events.messages import Outgoing
from tests.contract.emitter.qstash_process import QStashProcess
from tests.fakes.queue import FakeQueue
from tests.fakes.queue_records import FakeQueueRecords

CLOSED_PORT = "http://127.0.0.1:9/never"
LATER_MS = SystemClock().now_ms() + 3_600_000
PATIENCE_SECONDS = 120


class Side:
    """A queue and its records; `die` publishes a message that the queue gives up on."""

    def __init__(self, records: QueueRecords, queue: FakeQueue | QStashQueue) -> None:
        self.records = records
        self.queue = queue

    async def publish(self, label: str, not_before_ms: int = LATER_MS) -> str:
        """A message; by default one that is not delivered while the test runs."""
        sent = Outgoing(body='{"a":"ä"}', url=CLOSED_PORT, label=label, headers={"x-event-type": "t"}, retries=0)
        return (await self.queue.publish([replace(sent, not_before_ms=not_before_ms)]))[0]

    async def die(self, label: str) -> str:
        """A message that the queue gives up on, and the id of its dead letter."""
        message_id = await self.publish(label, 0)
        if isinstance(self.records, FakeQueueRecords):
            return self.records.die(message_id)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                if found := (await self.records.dead_letters(label=label)).letters:
                    return found[0].id
                await asyncio.sleep(0.05)


@pytest.fixture(params=["fake", "real"])
async def side(request: pytest.FixtureRequest) -> AsyncIterator[Side]:
    if request.param == "fake":
        fake = FakeQueue()
        records = FakeQueueRecords(fake, SystemClock())
        yield Side(records, fake)
        return
    process: QStashProcess = request.getfixturevalue("local_qstash")
    settings = process.settings("http://127.0.0.1:9")
    real = Side(QStashRecords(settings), QStashQueue(settings))
    yield real
    await real.records.close()
    await real.queue.close()


async def test_a_message_is_found_by_its_id(side: Side) -> None:
    message_id = await side.publish("job_found")
    found = await side.records.message(message_id)
    assert found is not None
    assert (found.id, found.url, found.body, found.label) == (message_id, CLOSED_PORT, '{"a":"ä"}', "job_found")
    assert {name.lower(): value for name, value in found.headers.items()}["x-event-type"] == "t"
    assert await side.records.message("msg_unknown") is None


async def test_the_log_is_found_by_message_label_and_state(side: Side) -> None:
    """And has what was sent, so that it can be sent once more when the queue keeps the log only."""
    message_id = await side.publish("job_log")
    for page in (
        await side.records.log(message_id=message_id),
        await side.records.log(label="job_log"),
        await side.records.log(label="job_log", state="CREATED"),
    ):
        (entry,) = page.entries
        assert (entry.message.id, entry.state, entry.message.body) == (message_id, "CREATED", '{"a":"ä"}')
    assert (await side.records.log(label="job_log", state="FAILED")).entries == ()


async def test_the_log_comes_in_pages(side: Side) -> None:
    ids = [await side.publish("job_pages") for _ in range(5)]
    found: list[str] = []
    cursor = ""
    for _ in range(4):
        page = await side.records.log(label="job_pages", cursor=cursor, limit=2)
        found += [entry.message.id for entry in page.entries]
        cursor = page.cursor
        if not cursor:
            break
    assert sorted(found) == sorted(ids)


async def test_a_dead_letter_is_tried_again_as_a_new_message(side: Side) -> None:
    dead_id = await side.die("job_dead")
    (letter,) = (await side.records.dead_letters(label="job_dead")).letters
    assert (letter.id, letter.message.label, letter.message.body) == (dead_id, "job_dead", '{"a":"ä"}')
    assert await side.records.retry([dead_id]) == 1
    assert dead_id not in {found.id for found in (await side.records.dead_letters()).letters}
    assert await side.records.retry([dead_id]) == 0


async def test_dead_letters_of_one_address(side: Side) -> None:
    dead_id = await side.die("job_address")
    (letter,) = (await side.records.dead_letters(label="job_address")).letters
    assert dead_id in {found.id for found in (await side.records.dead_letters(url=letter.message.url)).letters}
    assert (await side.records.dead_letters(url=f"{letter.message.url}/other")).letters == ()


async def test_dead_letters_are_deleted(side: Side) -> None:
    dead_id = await side.die("job_gone")
    assert await side.records.delete([dead_id, "1-unknown"]) == 1
    assert (await side.records.dead_letters(label="job_gone")).letters == ()
    assert await side.records.delete([]) == 0
    assert await side.records.retry([]) == 0
