"""The limits of calls, as functions see them: production's, behind a wire that fails, by the true time."""

from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from baton.engine.all_jobs.slots import QueueEntry
from baton.engine.work_items import ItemKind, item_key_of, kind_of
from baton.store.records.call_limits import CallAnswer, KeyLimit, NamedCall
from baton.store.redis.call_limits import CallLimits
from baton.store.redis.keys import call_places_keys
from baton.testing.virtual_loop import Crashed
from baton_events.errors import StoreError
from baton_events.ids import job_of_call
from baton_events.schema import parse_event
from tests.fakes.stored import entries_of
from tests.simulation.call_limits import BEGUN, ON_PLACE, Begun, Waiting
from tests.simulation.invocation import CURRENT
from tests.simulation.memory import CALL_LIMITS
from tests.simulation.shared_keys import Moment
from tests.simulation.wire import at_once

if TYPE_CHECKING:
    from tests.simulation.world import World

_T = TypeVar("_T")
# The rest it waits in its process.
_HERE_SECONDS = 1.0


class CountedCalls(CallLimits):
    """Production's, which also notes the moments that it gives: by key and call."""

    def __init__(self, world: "World") -> None:
        super().__init__(world.all_jobs.connection)
        self._world = world
        self._name = ""
        self.given = dict[tuple[str, str], Moment]()

    async def begin_call(self, limits: Sequence[KeyLimit], call: NamedCall, lease_ms: int) -> CallAnswer:
        self._name = call.name
        return await super().begin_call(limits, call, lease_ms)

    async def _moment(self, limit: KeyLimit, scores: list[float], now_ms: int) -> Any:
        moment = await super()._moment(limit, scores, now_ms)
        before = self.given.get((limit.key, self._name))
        at = self._seconds(moment.at_ms)
        is_its_own = moment.is_new or (moment.is_kept and scores[1] == moment.at_ms)
        if is_its_own and (before is None or before.at != at):
            self.given[limit.key, self._name] = Moment(at, self._world.loop.seconds)
        return moment

    async def _replaced(self, limit: KeyLimit, moment: Any, now_ms: int) -> Any:
        new = await super()._replaced(limit, moment, now_ms)
        if new is not moment:
            at = self._seconds(new.at_ms)
            self.given[limit.key, self._name] = Moment(at, self._world.loop.seconds, replaces=True)
        return new

    def _seconds(self, at_ms: float) -> float:
        return (at_ms - self._world.epoch_ms) / 1000

    def entries(self, key: str) -> dict[str, QueueEntry]:
        """Who holds, and who waits for, places of this key."""
        return entries_of(self._world.all_jobs.hash(call_places_keys(key)[0]))


class SimCallLimits:
    def __init__(self, world: "World", counted: CountedCalls) -> None:
        self._world, self._counted = world, counted

    async def begin_call(self, limits: Sequence[KeyLimit], call: NamedCall, lease_ms: int) -> CallAnswer:
        world, counted = self._world, self._counted
        world.call_limits.comes(call.name)

        async def begin() -> tuple[CallAnswer, Begun]:
            answer = await counted.begin_call(limits, call, lease_ms)
            keys = [one.key for one in limits if one.per_minute is not None]
            moments = {key: counted.given[key, call.name] for key in keys if (key, call.name) in counted.given}
            if not answer.wait_ms:
                for key in keys:
                    del counted.given[key, call.name]
            elif answer.since_ms:
                limit = next(one for one in limits if one.key == answer.limit)
                world.check(ON_PLACE, Waiting(world, call.name, limit, counted.entries(limit.key)))
            return answer, Begun(CURRENT.get(), call.name, call.flow, limits, world.loop.seconds, moments)

        answer, begun = await self._request("begin", begin)
        if answer.wait_ms:
            world.call_limits.messages[_job_of(call.name)] += 1
            world.call_limits.comes_at[call.name] = begun.at + answer.wait_ms / 1000 - _HERE_SECONDS
        self._woken(answer.woken)
        if not answer.wait_ms:
            world.call_limits.began(begun)
        return answer

    async def end_call(self, limits: Sequence[KeyLimit], name: str, since_ms: int) -> tuple[str, ...]:
        """Free the places of a call. A process that is dead comes by here, too, which no real one does."""
        self._lives()
        world, begun = self._world, BEGUN.get()
        if begun is not None and begun.name == name:
            begun.over = True

        async def end() -> tuple[str, ...]:
            for one in limits:
                world.call_limits.given_back[one.key, name, since_ms] = world.loop.seconds
            return await self._counted.end_call(limits, name, since_ms)

        woken = await self._request("end", end)
        self._woken(woken)
        return woken

    async def pause_calls(self, limits: Sequence[KeyLimit], flow: str, pause_ms: int) -> None:
        self._lives()
        world, begun = self._world, BEGUN.get()
        if begun is not None:
            begun.paused = True

        async def pause() -> None:
            now = world.loop.seconds
            for one in limits:
                world.call_limits.pauses[one.key, flow].append(Moment(now + pause_ms / 1000, now))
            await self._counted.pause_calls(limits, flow, pause_ms)

        await self._request("pause", pause)

    def _lives(self) -> None:
        who = CURRENT.get()
        if who.dead:
            raise Crashed(who.name)

    def _woken(self, events: Sequence[str]) -> None:
        calls = self._world.call_limits
        for event in map(parse_event, map(str.encode, events)):
            calls.messages[event.job_id] += 1
            calls.woken.setdefault(item_key_of(event), self._world.loop.seconds)

    async def _request(self, op: str, make: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        world, rare = self._world, op == "pause"

        def apply() -> _T:
            answer = at_once(make())
            world.memory.counted()
            world.memory.strike(CALL_LIMITS)
            return answer

        return await world.wire.request(f"call_limits.{op}", "admission", "store", apply, StoreError, rare=rare)


def _job_of(name: str) -> str:
    about = name.split(":")[1]
    return about if kind_of(name) is ItemKind.LOOP else job_of_call(about)
