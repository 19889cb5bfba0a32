"""Schedules of the queue in a store: one message for each time, whichever pumps live, die or come late."""

import pytest

from baton.queue.redis.schedules import RedisSchedules
from baton.queue.redis.shards import SCHEDULES
from baton_events.errors import StoreError
from baton_events.messages import Outgoing
from tests.unit.baton.queue.redis.explored import URL, World

MINUTE_MS = 60_000


class Pumps:
    """Two that share a store and its time."""

    def __init__(self) -> None:
        self.world = World(1)
        self.one, self.other = (
            RedisSchedules(self.world.shards, self.world.queue, self.world.publisher) for _ in range(2)
        )

    async def put(self, name: str, message: Outgoing | None = None) -> None:
        await self.one.put(name, "* * * * *", message or Outgoing("{}", url=URL))

    def pass_time(self, ms: int) -> None:
        self.world.pass_time(ms)

    async def made(self) -> int:
        commands = [["HLEN", f"baton:{{queue:{shard:x}}}:messages"] for shard in range(16)]
        lengths: list[int] = await self.world.shards.run_commands(*commands)
        return sum(lengths) // 2  # a text and its state


@pytest.fixture
def pumps() -> Pumps:
    pumps = Pumps()
    pumps.world.publisher.ms = pumps.world.clock.ms
    return pumps


async def test_two_pumps_make_one_message_of_a_time(pumps: Pumps) -> None:
    await pumps.put("hourly")
    pumps.pass_time(MINUTE_MS)
    await pumps.one.fire()
    await pumps.other.fire()
    assert await pumps.made() == 1


async def test_a_pump_that_dies_in_between_makes_none_too_many(pumps: Pumps, monkeypatch: pytest.MonkeyPatch) -> None:
    await pumps.put("hourly")
    pumps.pass_time(MINUTE_MS)

    async def dies(*_: object) -> None:
        raise StoreError("gone")

    monkeypatch.setattr(pumps.one, "_keep", dies)
    with pytest.raises(StoreError):
        await pumps.one.fire()
    await pumps.other.fire()
    assert await pumps.made() == 1


async def test_missed_times_are_one_message(pumps: Pumps) -> None:
    await pumps.put("hourly")
    pumps.pass_time(10 * MINUTE_MS)
    await pumps.one.fire()
    await pumps.other.fire()
    assert await pumps.made() == 1


async def test_a_schedule_that_cannot_be_published_holds_no_other_up(pumps: Pumps) -> None:
    """Its topic is gone. It is due before the others, at each time anew."""
    await pumps.put("a", Outgoing("{}", topic="gone"))
    await pumps.put("b")
    for minutes in (1, 2):
        pumps.pass_time(MINUTE_MS)
        await pumps.one.fire()
        assert await pumps.made() == minutes
    gone = await pumps.one.find("a")
    assert gone is not None
    assert gone.next_ms > pumps.world.now_ms
    assert not gone.last_ms
    assert "'gone'" in gone.error


async def test_a_zone_that_a_pump_does_not_know_holds_no_other_up(pumps: Pumps) -> None:
    """Its machine has no such time zone. The schedule stays due, for a pump that has; its record says why."""
    await pumps.put("a")
    await pumps.put("b")
    (text,) = await pumps.world.shards.run_commands(["HGET", SCHEDULES, "a"])
    await pumps.world.shards.run_commands(["HSET", SCHEDULES, "a", text.replace("*", "TZ=Mars/Base *", 1)])
    for minutes in (1, 2):
        pumps.pass_time(MINUTE_MS)
        await pumps.one.fire()
        assert await pumps.made() == minutes
    left, _ = await pumps.other.all()
    assert (left.next_ms <= pumps.world.now_ms, left.last_ms, "Mars/Base" in left.error) == (True, 0, True)


async def test_what_is_paused_makes_nothing(pumps: Pumps) -> None:
    await pumps.put("hourly")
    await pumps.one.pause("hourly", paused=True)
    pumps.pass_time(10 * MINUTE_MS)
    await pumps.one.fire()
    await pumps.one.pause("hourly", paused=False)
    await pumps.one.fire()
    assert not await pumps.made()
