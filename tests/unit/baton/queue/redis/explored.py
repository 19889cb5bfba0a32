"""Random life of the queue in a store: publishers, pumps that die or are slow, flow keys, lanes; and what must hold.

The scripts run over the Redis in this process, by a clock of the world's own. `Defect`s change a script's text, and the
explorer has to find each (test_explored.py).
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, TypeVar

from msgspec.structs import replace

from baton.queue.redis.publisher import LEASE_MS, Kept, RedisQueue
from baton.queue.redis.shards import SHARDS, Shards, shard_keys
from baton.store.redis.in_process.server import InProcessConnection, InProcessRedis
from baton.testing.dice import Dice
from baton_events.messages import Flow, Outgoing
from tests.fakes.clock import FakeClock
from tests.fakes.randomness import FakeRandomness

_T = TypeVar("_T")
LIMIT, FORGOTTEN_MS = 3, 2_000
URL = "http://127.0.0.1:9/x"
DEDUPLICATED_MS = 600_000


class Planted(InProcessRedis):
    """A server that runs some scripts with a defect. `swaps`: pairs of texts."""

    swaps: tuple[tuple[str, str], ...] = ()
    swapped = 0

    def script(self, text: str) -> str:
        for right, wrong in self.swaps:
            if right in text:
                self.swapped += 1
                text = text.replace(right, wrong)
        return text


@dataclass
class Held:
    """A delivery under way. `until_ms`: its lease's end, as its pump knows it."""

    pump: int
    lease: str
    until_ms: int


@dataclass
class World:
    seed: int
    swaps: tuple[tuple[str, str], ...] = ()
    due: dict[str, int] = field(default_factory=dict[str, int])
    flows: dict[str, Flow] = field(default_factory=dict[str, Flow])
    under_way: dict[str, Held] = field(default_factory=dict[str, Held])
    ended: set[str] = field(default_factory=set[str])
    once: dict[str, tuple[str, int]] = field(default_factory=dict[str, tuple[str, int]])
    taken: list[tuple[str, Held]] = field(default_factory=list[tuple[str, Held]])
    kept: tuple[Any, ...] = (None, -FORGOTTEN_MS, None)
    ghosts: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    leasing: bool = False
    count: int = 0
    rolls: int = 0

    def __post_init__(self) -> None:
        self.dice, self.clock = Dice(self.seed), FakeClock(1_800_000_000_000)
        self.server = Planted(self.clock.now_ms)
        self.server.swaps = self.swaps
        self.shards = Shards(InProcessConnection(self.server))
        skew_ms = self.pick((-5_000, 0, 5_000))
        self.publisher = FakeClock(self.clock.now_ms() + skew_ms)
        self.queue = RedisQueue(self.shards, self.publisher, FakeRandomness())
        self.queue.taker = self

    def pick(self, options: Sequence[_T]) -> _T:
        self.rolls += 1
        return self.dice.one_of(options, self.rolls)

    @property
    def now_ms(self) -> int:
        return self.clock.now_ms()

    def pass_time(self, ms: int) -> None:
        self.clock.ms += ms
        self.publisher.ms += ms

    async def step(self) -> None:
        acts: list[Callable[[], Awaitable[object]]] = [self.publish, self.claim, self.settle] * 2
        acts += [self.settle, self.wait, self.renew, self.die, self.cancel, self.keep, self.fail_over, self.haunt]
        await self.pick(acts)()

    async def publish(self) -> None:
        self.count += 1
        delay_ms, name = self.pick((0, 0, 700, 30_000)), f"d{self.pick(range(40))}"
        flow = self.pick((Flow(), Flow(), Flow("narrow", 1), Flow("wide", 3)))
        message = Outgoing(f'{{"n":{self.count}}}', url=URL, flow=flow, lane=f"tenant-{self.pick(range(3))}")
        message = replace(message, not_before_ms=self.publisher.now_ms() + delay_ms if delay_ms else 0)
        if self.pick(range(10)) < 3:
            flow = Flow()  # with one the shard is the flow key's
            message = replace(message, flow=flow, deduplication_id=name)
        self.leasing = self.pick((True, False))
        (found,) = await self.queue.publish([message])
        before, until_ms = self.once.get(message.deduplication_id, ("", 0))
        if message.deduplication_id and self.now_ms < until_ms:
            assert found == before, "a second message with the same deduplication id is another one"
            return
        assert found not in self.due, "two messages have the same id"
        self.due[found], self.flows[found] = self.now_ms + delay_ms, flow
        for name, held in self.taken:
            self._claimed(name, held)
        self.taken.clear()
        if message.deduplication_id:
            self.once[message.deduplication_id] = (found, self.now_ms + DEDUPLICATED_MS)

    def note_due(self, where: Iterable[int], wait_ms: int) -> None:
        """A pump would look there."""

    def lease_for(self, count: int) -> str:
        self.count += count
        return f"pump-0.{self.count}" if self.leasing else ""

    def take(self, message_id: str, lease: str, retried: int, kept: Kept) -> None:
        assert (retried, kept.message.flow.key) == (0, "")
        self.taken.append((message_id, Held(0, lease, self.now_ms + LEASE_MS)))

    async def claim(self, most: int = LIMIT) -> int:
        pump = self.pick(range(3))
        self.count += 1
        keys = [key for shard in range(SHARDS) for key in shard_keys(shard)]
        lease = f"pump-{pump}.{self.count}"
        waits, found = await self.shards.run("claim", keys, [lease, LEASE_MS, most])
        assert len(waits) == SHARDS, "of some shards nothing is said"
        for at in range(0, len(found), 3):
            self._claimed(found[at], Held(pump, lease, self.now_ms + LEASE_MS))
        for flow in {flow.key: flow for flow in self.flows.values() if flow.key}.values():
            live = [each for each in self.under_way if self.flows[each].key == flow.key and self._is_live(each)]
            assert len(live) <= flow.parallelism, f"{len(live)} deliveries of {flow.key} are under way"
        return len(found) // 3

    def _claimed(self, message_id: str, held: Held) -> None:
        assert message_id in self.due, "an unknown message"
        assert message_id not in self.ended, "a message comes again after its end"
        assert self.due[message_id] <= self.now_ms, "a message comes too early"
        assert not self._is_live(message_id), "a message comes twice while its lease holds"
        self.under_way[message_id] = held

    def _is_live(self, message_id: str) -> bool:
        held = self.under_way.get(message_id)
        return held is not None and held.until_ms > self.now_ms

    async def settle(self) -> None:
        if not self.under_way:
            return
        name = self.pick(sorted(self.under_way))
        held, what = self.under_way.pop(name), self.pick(("done", "done", "retry", "back", "dead"))
        wait_ms = self.pick((0, 500, 5_000))
        more = (wait_ms, 500, "", "", f"dlq_{name}", "{}") if what == "dead" else (wait_ms, 200, "", "")
        # The lease that it was delivered under before: somebody else's by now.
        if self.pick(range(10)) < 2:
            assert not await self.shards.settle(name, f"{held.lease}.old", what, *more), "an old lease has settled it"
        live = held.until_ms > self.now_ms
        settled = await self.shards.settle(name, held.lease, what, *more)
        assert settled or not live, "a lease that holds settles nothing"
        if settled and what in ("done", "dead"):
            self.ended.add(name)
        elif settled:
            self.due[name] = self.now_ms + (wait_ms if what == "retry" else 0)

    async def renew(self) -> None:
        pump = self.pick(range(3))
        for name, held in self.under_way.items():
            if held.pump == pump and held.until_ms > self.now_ms:
                renewed = await self.shards.settle(name, held.lease, "renew", LEASE_MS)
                assert renewed, "a lease that holds is not renewed"
                held.until_ms = self.now_ms + LEASE_MS

    async def die(self) -> None:
        pump = self.pick(range(3))
        self.under_way = {
            name: held for name, held in self.under_way.items() if held.pump != pump or self._is_live(name)
        }
        for held in self.under_way.values():
            held.pump = held.pump if held.pump != pump else -1  # nobody renews or settles it

    async def cancel(self) -> None:
        left = sorted(self.due.keys() - self.ended)
        if left and self.pick(range(10)) < 3:
            name = self.pick(left)
            await self.queue.cancel(name)
            self.ended.add(name)
            self.under_way.pop(name, None)

    async def keep(self) -> None:
        """A replica has all until now."""
        model = deepcopy((self.due, self.flows, self.under_way, self.ended, self.once))
        self.kept = self.server.data.version(), self.now_ms, model

    async def fail_over(self) -> None:
        """It takes over, and has forgotten the last seconds: what began in them is of no lease that it knows."""
        version, at_ms, model = self.kept
        if self.now_ms - at_ms > FORGOTTEN_MS:
            return
        self.ghosts += [(name, held.lease) for name, held in self.under_way.items()]
        self.server.data.go_back(version)
        self.due, self.flows, self.under_way, self.ended, self.once = deepcopy(model)
        known = {(name, held.lease) for name, held in self.under_way.items()}
        self.ghosts = [each for each in self.ghosts if each not in known]

    async def haunt(self) -> None:
        """A delivery ends that only the old server knew of."""
        for name, lease in self.ghosts:
            assert not await self.shards.settle(name, lease, "done", 0, 200, "", ""), "a forgotten lease settles"
        self.ghosts.clear()

    async def wait(self) -> None:
        self.pass_time(self.pick((50, 1_000, 9_000, 25_000)))

    async def drain(self) -> None:
        """One healthy pump: all that was accepted comes to its end, and nothing is left."""
        self.under_way.clear()
        self.pass_time(LEASE_MS + 40_000)
        for _ in range(3 * len(self.due) + 10):
            claimed = await self.claim()
            for name, held in list(self.under_way.items()):
                assert await self.shards.settle(name, held.lease, "done", 0, 200, "", ""), "what holds settles nothing"
                self.ended.add(name)
                del self.under_way[name]
            if not claimed:
                break
            self.pass_time(10)
        assert self.due.keys() == self.ended, f"{len(self.due.keys() - self.ended)} messages are lost"
        left = [key for shard in range(SHARDS) for key in shard_keys(shard)[:6] if self.server.run("EXISTS", key)]
        assert left == [], "something is left behind"


async def explore(seed: int, steps: int = 120, swaps: tuple[tuple[str, str], ...] = ()) -> World:
    """Play one life. Raises AssertionError: something does not hold."""
    world = World(seed, swaps)
    for _ in range(steps):
        await world.step()
    await world.drain()
    return world
