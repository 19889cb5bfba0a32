"""Records of app events: the first event stays, handlers are added, the first note of a name stays."""

import pytest

from baton.store.records.app_events import EventRecord
from baton.store.redis import keys
from baton.store.redis.app_events import AppEvents
from baton.store.redis.connection import RedisConnection
from tests.contract.store.sample import NOW_MS
from tests.contract.store.side import RETENTION_MS

KEPT_MS = 60_000

DAY_MS = 86_400_000


@pytest.fixture
def records(redis: RedisConnection) -> AppEvents:
    return AppEvents(redis, RETENTION_MS, KEPT_MS)


async def test_the_first_event_stays_and_handlers_are_added(records: AppEvents) -> None:
    assert await records.find("evt_1") is None
    assert await records.add("evt_1", "first", ("b",)) == EventRecord("first", ("b",), new=True)
    assert await records.add("evt_1", "second", ("a", "b")) == EventRecord("first", ("a", "b"))
    assert await records.add("evt_2", "other") == EventRecord("other", new=True)
    assert await records.find("evt_1") == EventRecord("first", ("a", "b"))


async def test_the_first_note_of_a_name_stays(records: AppEvents) -> None:
    """Also where the event itself was forgotten: then there is no record of it."""
    assert [await records.note("evt_1", "dead:a:1", f"msg_{n}") for n in (1, 2)] == ["msg_1", "msg_1"]
    assert await records.find("evt_1") is None
    assert await records.find("evt_1", noted=True) == EventRecord("", (), {"dead:a:1": "msg_1"})
    await records.add("evt_1", "first")
    assert await records.note("evt_1", "misfit", "why") == "why"
    assert await records.find("evt_1") == EventRecord("first", (), {"dead:a:1": "msg_1", "misfit": "why"})


async def test_who_waits_is_found_until_its_time_is_over_or_it_has_met(records: AppEvents) -> None:
    for name, number, after_ms in (("a", 1, 1_000), ("a", 2, 5_000), ("b", 3, 5_000)):
        assert await records.wait(name, f"call-{number}", NOW_MS + after_ms, NOW_MS) == ""
    assert await records.waiting("a", NOW_MS + 1_000, 9) == ("call-1", "call-2")
    assert await records.waiting("a", NOW_MS + 1_001, 9) == ("call-2",)
    assert [await records.count_waiting("a", NOW_MS + after_ms) for after_ms in (1_000, 1_001)] == [2, 1]
    await records.met("a", ["call-2", "call-3"])
    assert [await records.waiting(name, NOW_MS, 9) for name in "ab"] == [("call-1",), ("call-3",)]
    await records.met("a", [])


async def test_the_first_event_is_kept_for_who_waits_later(records: AppEvents) -> None:
    """Also where a wait has met it."""
    for event in "12":
        await records.keep("a", event)
    assert [await records.wait("a", f"call-{n}", NOW_MS + 1_000, NOW_MS) for n in range(2)] == ["1", "1"]
    assert await records.wait("b", "call-1", NOW_MS + 1_000, NOW_MS) == ""


async def test_the_highest_number_stays(records: AppEvents) -> None:
    """Whoever asks notes none."""
    assert await records.newest("a") == 0
    number = 1_800_000_000_000_999
    assert [await records.newest("a", n) for n in (number - 1, number, number - 2)] == [number - 1, number, number]
    assert [await records.newest(name) for name in "ab"] == [number, 0]


async def test_the_newest_is_known_of_those_that_came_since_a_moment(records: AppEvents) -> None:
    """Of many that come in order, few are kept; an older one that comes later takes no newer one away."""
    assert await records.newest_since("a", 0) == 0
    for number in range(1, 61):
        await records.came("a", number, NOW_MS + number)
    for number, after_ms in ((100, 61), (99, 62), (99, 62)):
        await records.came("a", number, NOW_MS + after_ms)
    assert [await records.newest_since("a", NOW_MS + at) for at in (0, 61, 62, 63)] == [100, 100, 99, 0]
    assert await records.newest_since("b", 0) == 0
    assert await records._redis.execute("ZCARD", keys.app_event_came_key("a")) < 30


async def test_a_list_only_grows(records: AppEvents) -> None:
    """Whoever adds to it, or only reads it, is told all of it."""
    assert await records.append("a", ()) == ()
    assert await records.append("a", ("1", "2")) == ("1", "2")
    assert [await records.append(name, ("1",)) for name in "ab"] == [("1", "2", "1"), ("1",)]
    assert await records.append("a", ()) == ("1", "2", "1")


async def test_a_record_expires_with_what_is_noted_last(connection: RedisConnection) -> None:
    """But not before the longest wait of a batch is over."""
    records = AppEvents(connection, RETENTION_MS, KEPT_MS)
    await records.note("evt_1", "misfit", "why")
    await records.add("evt_2", "event")
    await records.append("a", ("1",))
    for key in (keys.app_event_key("evt_1"), keys.app_event_key("evt_2"), keys.app_event_list_key("a")):
        assert 7 * DAY_MS < await connection.execute("PTTL", key) <= 8 * DAY_MS
    await records.keep("a", "1")
    assert 0 < await connection.execute("PTTL", keys.app_event_kept_key("a")) <= KEPT_MS
    for until_ms in (9_000, 90_000, 5_000):
        await records.wait("a", f"call-{until_ms}", NOW_MS + until_ms, NOW_MS)
    assert 90_000 < await connection.execute("PTTL", keys.app_event_waits_key("a")) <= 90_000 + 60_000
