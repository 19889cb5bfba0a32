"""What the queue's account has: records of messages, schedules, topics and keys; the fake and the real ones alike."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from baton.queue.account import QueueSetup, Topic, TopicEndpoint
from baton.queue.ports import QueueRecords, Schedules
from baton.sdk.clock import SystemClock
from baton.settings.settings import Settings
from baton_events.errors import MessageNotFoundError, QueueRefusedError, TopicNotFoundError
from baton_events.messages import Outgoing, Queue
from tests.contract.emitter.account_of import account_of
from tests.fakes.queue_records import FakeQueueRecords

CLOSED_PORT = "http://127.0.0.1:9/never"
LATER_MS = SystemClock().now_ms() + 3_600_000
MESSAGE = Outgoing(body='{"a":"ä"}', url=CLOSED_PORT, label="sch_1", headers={"x-event-type": "t"})
NIGHTLY = "CRON_TZ=Europe/Berlin 0 3 * * *"
OURS, BY_HAND = TopicEndpoint("http://127.0.0.1:9/a", "baton"), TopicEndpoint("http://127.0.0.1:9/b")


class Side:
    def __init__(self, records: QueueRecords, queue: Queue) -> None:
        self.records = records
        self.queue = queue

    async def publish(self, label: str, not_before_ms: int = LATER_MS) -> str:
        """A message; by default one that is not delivered while the test runs."""
        return (await self.queue.publish([replace(MESSAGE, label=label, retries=0, not_before_ms=not_before_ms)]))[0]

    async def die(self, label: str) -> str:
        """A message that the queue gives up on, and the id of its dead letter."""
        message_id = await self.publish(label, 0)
        if isinstance(self.records, FakeQueueRecords):
            return self.records.die(message_id)
        async with asyncio.timeout(120):
            while True:
                if found := (await self.records.dead_letters(label=label)).letters:
                    return found[0].id
                await asyncio.sleep(0.05)


@pytest.fixture
async def side(either: Settings | None) -> AsyncIterator[Side]:
    made = account_of(either)
    yield Side(made.records, made.queue)
    await made.close()


@pytest.fixture
async def schedules(either: Settings | None) -> AsyncIterator[Schedules]:
    made = account_of(either)
    yield made.schedules
    await made.close()


@pytest.fixture
async def setup(either: Settings | None) -> AsyncIterator[QueueSetup]:
    """Without topics of tests before: all share one queue."""
    made = account_of(either)
    for topic in await made.setup.topics():
        await made.setup.delete_topic(topic.name)
    yield made.setup
    await made.close()


async def test_a_message_and_its_log_are_found(side: Side) -> None:
    """With what was sent, so that it can be sent once more when the queue keeps the log only."""
    message_id = await side.publish("job_found")
    found = await side.records.message(message_id)
    assert found is not None
    assert (found.id, found.url, found.body, found.label) == (message_id, CLOSED_PORT, '{"a":"ä"}', "job_found")
    assert {name.lower(): value for name, value in found.headers.items()}["x-event-type"] == "t"
    assert await side.records.message("msg_unknown") is None
    for page in (
        await side.records.log(message_id=message_id),
        await side.records.log(label="job_found"),
        await side.records.log(label="job_found", state="CREATED"),
    ):
        (entry,) = page.entries
        assert (entry.message.id, entry.state, entry.message.body) == (message_id, "CREATED", '{"a":"ä"}')
    assert (await side.records.log(label="job_found", state="FAILED")).entries == ()


async def test_the_log_comes_in_pages(side: Side) -> None:
    """Nothing doubled, nothing left out."""
    ids = [await side.publish("job_pages") for _ in range(5)]
    found, cursor = list[str](), ""
    while not found or cursor:
        page = await side.records.log(label="job_pages", cursor=cursor, limit=2)
        found += [entry.message.id for entry in page.entries]
        cursor = page.cursor
        assert len(found) <= len(ids)
    assert sorted(found) == sorted(ids)


async def test_a_dead_letter_is_tried_again_as_a_new_message(side: Side) -> None:
    """It is a dead letter no longer; a second time it is unknown, which is no error."""
    dead_id = await side.die("job_dead")
    (letter,) = (await side.records.dead_letters(label="job_dead")).letters
    assert (letter.id, letter.message.label, letter.message.body) == (dead_id, "job_dead", '{"a":"ä"}')
    assert dead_id in {found.id for found in (await side.records.dead_letters(url=letter.message.url)).letters}
    assert (await side.records.dead_letters(url=f"{letter.message.url}/other")).letters == ()
    assert (await side.records.dead_letters(message_id=letter.message.id)).letters == (letter,)
    assert (await side.records.dead_letters(message_id="msg_other")).letters == ()
    assert await side.records.retry([dead_id]) == 1
    assert dead_id not in {found.id for found in (await side.records.dead_letters()).letters}
    assert await side.records.retry([dead_id]) == 0


async def test_dead_letters_are_deleted(side: Side) -> None:
    """Those that are there are counted; none is no error."""
    dead_id = await side.die("job_gone")
    assert await side.records.delete([dead_id, "1-unknown"]) == 1
    assert (await side.records.dead_letters(label="job_gone")).letters == ()
    assert await side.records.delete([]) == 0
    assert await side.records.retry([]) == 0


async def test_a_schedule_is_put_paused_and_deleted(schedules: Schedules) -> None:
    """Put again it is changed; to delete it twice is no error, and to pause an unknown one is one."""
    await schedules.put("sch_1", "0 * * * *", MESSAGE)
    await schedules.put("sch_1", NIGHTLY, MESSAGE)
    for paused in (False, True, False):
        await schedules.pause("sch_1", paused=paused)
        found = await schedules.find("sch_1")
        assert found is not None
        assert (found.cron, found.destination, found.body, found.paused) == (NIGHTLY, CLOSED_PORT, MESSAGE.body, paused)
    assert [each.id for each in await schedules.all() if each.id == "sch_1"] == ["sch_1"]
    with pytest.raises(MessageNotFoundError):
        await schedules.pause("unknown", paused=True)
    for _ in range(2):
        await schedules.delete("sch_1")
    assert await schedules.find("sch_1") is None


@pytest.mark.parametrize("cron", ["every day", "0 3 * *", "CRON_TZ=Europe/Berlin 0 3 *"])
async def test_what_is_no_cron_expression_is_refused(schedules: Schedules, cron: str) -> None:
    with pytest.raises(QueueRefusedError):
        await schedules.put("sch_4", cron, MESSAGE)
    assert await schedules.find("sch_4") is None


async def endpoints(setup: QueueSetup) -> dict[str, tuple[TopicEndpoint, ...]]:
    return {topic.name: topic.endpoints for topic in await setup.topics()}


async def test_endpoints_of_a_topic_go_by_their_names_or_their_addresses(setup: QueueSetup) -> None:
    """Put again by its name, one changes its address; a topic without endpoints is gone."""
    for endpoint in (OURS, BY_HAND, moved := TopicEndpoint("http://127.0.0.1:9/c", "baton")):
        await setup.put_endpoint("t.one", endpoint)
    assert await endpoints(setup) == {"t.one": (moved, BY_HAND)}
    await setup.remove_endpoints("t.one", [BY_HAND])
    assert await endpoints(setup) == {"t.one": (moved,)}
    await setup.remove_endpoints("t.one", [moved])
    assert await endpoints(setup) == {}
    with pytest.raises(TopicNotFoundError, match=r"t\.one"):
        await setup.remove_endpoints("t.one", [OURS])


async def test_a_topic_has_defaults_until_it_is_deleted(setup: QueueSetup) -> None:
    """In lower case; those of an unknown topic are refused."""
    await setup.put_endpoint("t.three", OURS)
    await setup.put_defaults("t.three", {"Upstash-Retries": "2"})
    assert await setup.topics() == (Topic("t.three", (OURS,), {"upstash-retries": "2"}),)
    with pytest.raises(TopicNotFoundError, match="unknown"):
        await setup.put_defaults("unknown", {"Upstash-Retries": "2"})
    for _ in range(2):
        await setup.delete_topic("t.three")
    assert await endpoints(setup) == {}


async def test_rolling_makes_the_next_key_the_current_one(setup: QueueSetup) -> None:
    """And a new next one; neither is shown by chance."""
    before = await setup.signing_keys()
    after = await setup.roll_signing_keys()
    assert after.current == before.following
    assert after.following not in (before.current, before.following)
    assert await setup.signing_keys() == after
    assert after.current not in repr(after)
    assert after.following not in repr(after)
