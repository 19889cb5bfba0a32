"""Records of app events: the first event stays, handlers are added, the first note of a name stays."""

from collections.abc import AsyncIterator

import pytest

from baton.storage.ports.app_events import AppEvents, EventRecord
from baton.storage.redis import keys
from baton.storage.redis.app_events import RedisAppEvents
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.side import RETENTION_MS, connection_to
from tests.fakes import FakeAppEvents


@pytest.fixture(params=["fake", "rest", pytest.param("resp", marks=pytest.mark.long)])
async def records(request: pytest.FixtureRequest, redis_process: RedisProcess) -> AsyncIterator[AppEvents]:
    """Nothing is kept yet."""
    if request.param == "fake":
        yield FakeAppEvents()
        return
    redis_process.request("FLUSHALL")
    connection = connection_to(redis_process)
    try:
        yield RedisAppEvents(connection, RETENTION_MS)
    finally:
        await connection.close()


async def test_the_first_event_stays_and_handlers_are_added(records: AppEvents) -> None:
    """Whoever adds one is told what is kept."""
    assert await records.find("evt_1") is None
    assert await records.add("evt_1", "first", ("b",)) == EventRecord("first", ("b",))
    assert await records.add("evt_1", "second", ("a", "b")) == EventRecord("first", ("a", "b"))
    assert await records.add("evt_2", "other") == EventRecord("other")
    assert await records.find("evt_1") == EventRecord("first", ("a", "b"))


async def test_the_first_note_of_a_name_stays(records: AppEvents) -> None:
    """Also where the event itself was forgotten: then there is no record of it."""
    assert await records.note("evt_1", "dead:a:1", "msg_1") == "msg_1"
    assert await records.note("evt_1", "dead:a:1", "msg_2") == "msg_1"
    assert await records.find("evt_1") is None
    await records.add("evt_1", "first")
    assert await records.note("evt_1", "misfit", "why") == "why"
    assert await records.find("evt_1") == EventRecord("first", (), {"dead:a:1": "msg_1", "misfit": "why"})


async def test_a_record_expires(redis_process: RedisProcess) -> None:
    """With what is noted last."""
    redis_process.request("FLUSHALL")
    connection = connection_to(redis_process)
    records = RedisAppEvents(connection, RETENTION_MS)
    await records.note("evt_1", "misfit", "why")
    await records.add("evt_2", "event")
    for event_id in ("evt_1", "evt_2"):
        left_ms = await connection.execute("PTTL", keys.app_event_key(event_id))
        assert 0 < left_ms <= RETENTION_MS
    await connection.close()
