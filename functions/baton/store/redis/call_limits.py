"""Limits of calls on Redis: when a call may begin, and whether it has a place among those that run.

The moments of a key are one sorted set; the calls in flight are a semaphore (semaphore.py). Both go by the store's
clock, and by the rules of store/records/call_limits.py.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from baton.engine.all_jobs.slots import QueueEntry
from baton.store.records import call_limits
from baton.store.records.call_limits import PLACE_MS, CallAnswer, KeyLimit, NamedCall
from baton.store.redis import keys
from baton.store.redis.connection import RedisConnection
from baton.store.redis.semaphore import Dropped, Member, Semaphore
from baton.store.transport.redis_rest import Command

_NEXT, _MISSED, _PAUSED, _OF_CALL = "next", "missed", "paused:", "call:"
_KEPT_MS, _HOUR_MS = 86_400_000, 3_600_000


class CallLimits:
    """Counts calls that share a key: when they may begin, how many run, and which ones wait.

    No more calls of one key run than its limit says, while each is over before its lease. A moment is given to one
    call, and used up when that begins. One that is missed is replaced once the call has its places: by the next moment
    of those that were missed, for which later calls make room. A call that is paused takes no moment before the pause
    is over. Each method raises StoreError when the store does not answer; a repeated `begin_call` may use up a further
    moment. The moments of a key are scores, the next free one among them.

    `now_ms`: another clock than the store's.
    """

    def __init__(self, connection: RedisConnection, now_ms: Callable[[], int] | None = None) -> None:
        self._redis = connection
        self._now_ms = now_ms

    async def begin_call(self, limits: Sequence[KeyLimit], call: NamedCall, lease_ms: int) -> CallAnswer:
        """Let a call begin, or return how long it waits.

        `limits`: of the call, in the order of their keys; no key twice. `call`: the call. `lease_ms`: after this time
        its place is free in any case.
        """
        names, woken = [f"{_PAUSED}{call.flow}", f"{_OF_CALL}{call.name}"], list[str]()
        time, *found = await self._redis.pipeline(
            ["TIME"], *(["ZMSCORE", keys.call_moments_key(one.key), *names] for one in limits)
        )
        now_ms = self._ms(time)
        moments = [
            await self._moment(one, [float(score or 0) for score in scores], now_ms)
            for one, scores in zip(limits, found, strict=True)
        ]
        wait_ms, key = call_limits.latest({one.key: one.at_ms for one in moments}, now_ms)
        if wait_ms > 0:
            await self._keep(moments, call.name, now_ms)
            return CallAnswer(wait_ms, key)
        for one in limits:
            if one.in_flight is not None:
                held, events = await self._place(one, one.in_flight, call, (now_ms, lease_ms))
                woken += events
                if not held:
                    await self._keep(moments, call.name, now_ms)
                    return CallAnswer(PLACE_MS, one.key, tuple(woken), now_ms)
        replaced = [await self._replaced(limit, one, now_ms) for limit, one in zip(limits, moments, strict=True)]
        wait_ms, key = call_limits.latest({one.key: one.at_ms for one in replaced}, now_ms)
        if wait_ms > 0:
            await self._keep(replaced, call.name, now_ms)
            return CallAnswer(wait_ms, key, tuple(woken))
        used = [["ZREM", keys.call_moments_key(one.key), names[1]] for one in moments if one.is_kept]
        if used:
            await self._redis.pipeline(*used)
        return CallAnswer(woken=tuple(woken), since_ms=now_ms)

    async def end_call(self, limits: Sequence[KeyLimit], name: str, since_ms: int) -> tuple[str, ...]:
        """Free the places of a call that is over; return the events of calls that have one now."""
        woken: list[str] = []
        for one in limits:
            if one.in_flight is not None:
                places = _Places(self._redis, one.key, one.in_flight)
                woken += (await places.write(since_ms, {name: Dropped(since_ms)}, name))[1]
        return tuple(woken)

    async def pause_calls(self, limits: Sequence[KeyLimit], flow: str, pause_ms: int) -> None:
        """Let no call of this flow and these keys begin for this time, as the other side has requested."""
        until_ms = self._ms(await self._redis.execute("TIME")) + pause_ms
        commands: list[Command] = []
        for one in limits:
            key = keys.call_moments_key(one.key)
            commands += [["ZADD", key, "GT", until_ms, f"{_PAUSED}{flow}"], ["PEXPIRE", key, pause_ms + _KEPT_MS]]
        await self._redis.pipeline(*commands)

    def _ms(self, time: Sequence[Any]) -> int:
        return self._now_ms() if self._now_ms else 1000 * int(time[0]) + int(time[1]) // 1000

    async def _moment(self, limit: KeyLimit, scores: list[float], now_ms: int) -> "_Moment":
        """Return when the call may begin; one without a moment since the last pause gets the next free one."""
        (paused_ms, at_ms), key = scores, keys.call_moments_key(limit.key)
        if paused_ms > now_ms or limit.per_minute is None or (at_ms and at_ms >= paused_ms):
            return _Moment(limit.key, max(paused_ms, at_ms), is_kept=at_ms > 0)
        at_ms = await self._taken(key, limit.step_ms, now_ms, _NEXT)
        return _Moment(limit.key, at_ms, is_new=True, is_kept=bool(scores[1]))

    async def _replaced(self, limit: KeyLimit, moment: "_Moment", now_ms: int) -> "_Moment":
        if not call_limits.is_missed(moment.at_ms, limit.step_ms, now_ms):
            return moment
        at_ms = await self._taken(keys.call_moments_key(limit.key), limit.step_ms, now_ms, _MISSED, _NEXT)
        return _Moment(limit.key, at_ms, is_new=True, is_kept=True)

    async def _taken(self, key: str, step_ms: float, from_ms: int, *lines: str) -> float:
        commands: list[Command] = []
        for line in lines:
            commands += [["ZADD", key, "GT", from_ms, line], ["ZINCRBY", key, str(step_ms), line]]
        _, next_ms, *_ = await self._redis.pipeline(*commands, ["PEXPIRE", key, _KEPT_MS])
        return float(next_ms) - step_ms

    async def _keep(self, moments: Sequence["_Moment"], name: str, now_ms: int) -> None:
        commands: list[Command] = []
        for one in moments:
            if one.is_new:
                key = keys.call_moments_key(one.key)
                commands += [
                    ["ZADD", key, str(one.at_ms), f"{_OF_CALL}{name}"],
                    ["ZREMRANGEBYSCORE", key, "-inf", now_ms - _HOUR_MS],
                    ["PEXPIRE", key, int(one.at_ms) - now_ms + _KEPT_MS],
                ]
        if commands:
            await self._redis.pipeline(*commands)

    async def _place(
        self, limit: KeyLimit, in_flight: int, call: NamedCall, times_ms: tuple[int, int]
    ) -> tuple[bool, list[str]]:
        """Return whether the call has a place now, and the events of others that have one."""
        (now_ms, lease_ms), places = times_ms, _Places(self._redis, limit.key, in_flight)
        member = Member(call.flow, "", "50", f"{now_ms:015d}\0{call.name}", 1, "asks", call.event, free=True)
        held, events = await places.write(now_ms, {call.name: member}, call.name)
        if not held and (old := call_limits.abandoned(await places.holders(), now_ms, lease_ms)):
            held, more = await places.write(now_ms, _dropped(old), call.name)
            events += more
        return held, events


class _Moment(Struct, frozen=True):
    """The time when a call may begin by one limit. `is_kept`: the store has one by its name; `is_new`: not this one."""

    key: str
    at_ms: float
    is_new: bool = False
    is_kept: bool = False


class _Places(Semaphore):
    """The calls of one key that run, and those that wait for a place."""

    def __init__(self, redis: RedisConnection, key: str, in_flight: int) -> None:
        super().__init__(redis, in_flight, 0, store_clock=False, named=keys.call_places_keys(key))

    async def write(self, now_ms: int, members: Mapping[str, Member | Dropped], name: str) -> tuple[bool, list[str]]:
        """Write the states of calls; return whether `name` has a place, and the events of calls that get one by this.

        A place given to a call that has stopped asking goes to the next one.
        """
        expiry: list[Command] = [["PEXPIRE", key, _KEPT_MS] for key in self._named]
        held = False
        while True:
            answer = await self.run(now_ms, members, {"fill": name}, beside=expiry)
            held = held or answer.held  # a later request is about those who are gone, and does not look at this one
            granted = await self.entries_of([one.job_id for one in answer.untaken]) if answer.untaken else {}
            if not (lost := call_limits.gone(granted, now_ms)):
                return held, [entry.agent for entry in granted.values()]
            members = _dropped(lost)


def _dropped(entries: Mapping[str, QueueEntry]) -> dict[str, Dropped]:
    return {name: Dropped(entry.since_ms) for name, entry in entries.items()}
