"""Limits of calls in memory: moments as in storage/redis/call_limits.py, and places by the rule of the admission."""

from collections.abc import Callable, Sequence

from baton.engine.all_jobs.slots import QueuedJob, QueueEntry, SlotState, fill, take
from baton.storage.ports.call_limits import (
    PLACE_MS,
    CallAnswer,
    KeyLimit,
    NamedCall,
    abandoned,
    gone,
    is_missed,
    latest,
)


class InMemoryCallLimits:
    """`CallLimits` by this clock."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._next_ms: dict[str, float] = {}
        self._missed_ms: dict[str, float] = {}
        self._paused_ms: dict[tuple[str, str], float] = {}
        self._moments: dict[tuple[str, str], float] = {}
        self._places: dict[str, dict[str, QueueEntry]] = {}

    async def begin_call(self, limits: Sequence[KeyLimit], call: NamedCall, lease_ms: int) -> CallAnswer:
        """Let the call begin, or return how long it waits."""
        now_ms, woken = self._now_ms(), list[str]()
        moments = {one.key: self._moment(one, call, now_ms) for one in limits}
        wait_ms, key = latest(moments, now_ms)
        if wait_ms > 0:
            return CallAnswer(wait_ms, key)
        for one in limits:
            if one.in_flight is not None:
                held, events = self._place(one.key, one.in_flight, call, (now_ms, lease_ms))
                woken += events
                if not held:
                    return CallAnswer(PLACE_MS, one.key, tuple(woken), now_ms)
        replaced = {one.key: self._replaced(one, call.name, moments[one.key], now_ms) for one in limits}
        wait_ms, key = latest(replaced, now_ms)
        if wait_ms > 0:
            return CallAnswer(wait_ms, key, tuple(woken))
        for one in limits:
            self._moments.pop((one.key, call.name), None)
        return CallAnswer(woken=tuple(woken), since_ms=now_ms)

    def _replaced(self, limit: KeyLimit, name: str, at_ms: float, now_ms: int) -> float:
        """Return the moment, or another one where it is missed."""
        key = limit.key
        if not is_missed(at_ms, limit.step_ms, now_ms):
            return at_ms
        at_ms = max(self._missed_ms.get(key, 0.0), now_ms)
        self._missed_ms[key] = at_ms + limit.step_ms
        self._next_ms[key] = max(self._next_ms.get(key, 0.0), now_ms) + limit.step_ms
        self._moments[key, name] = at_ms
        return at_ms

    def _moment(self, limit: KeyLimit, call: NamedCall, now_ms: int) -> float:
        key, paused_ms = limit.key, self._paused_ms.get((limit.key, call.flow), 0.0)
        at_ms = self._moments.get((key, call.name), 0.0)
        if paused_ms > now_ms or limit.per_minute is None or (at_ms and at_ms >= paused_ms):
            return max(at_ms, paused_ms)
        at_ms = max(self._next_ms.get(key, 0.0), now_ms)
        self._next_ms[key] = at_ms + limit.step_ms
        self._moments[key, call.name] = at_ms
        return at_ms

    def _place(self, key: str, in_flight: int, call: NamedCall, times_ms: tuple[int, int]) -> tuple[bool, list[str]]:
        now_ms, lease_ms = times_ms
        asks = QueuedJob(call.flow, call.name, 50, now_ms, call.event)
        entries = take(self._places.get(key, {}), call.name, SlotState("slot", 1), asks, now_ms, in_flight).slot_table
        self._places[key] = entries
        events = _filled(entries, call.name, in_flight, now_ms)
        old = abandoned({name: one for name, one in entries.items() if one.slot}, now_ms, lease_ms)
        if not entries[call.name].slot and old:
            for name in old:
                del entries[name]
            events += _filled(entries, call.name, in_flight, now_ms)
        return entries[call.name].slot, events

    async def end_call(self, limits: Sequence[KeyLimit], name: str, since_ms: int) -> tuple[str, ...]:
        """Free the places of a call."""
        woken: list[str] = []
        for one in limits:
            if one.in_flight is not None:
                entries = self._places.setdefault(one.key, {})
                if name in entries and entries[name].since_ms == since_ms:
                    del entries[name]
                woken += _filled(entries, name, one.in_flight, since_ms)
        return tuple(woken)

    async def pause_calls(self, limits: Sequence[KeyLimit], flow: str, pause_ms: int) -> None:
        """Let no call of this flow and these keys begin for a while."""
        until_ms = self._now_ms() + pause_ms
        for one in limits:
            self._paused_ms[one.key, flow] = max(self._paused_ms.get((one.key, flow), 0), until_ms)


def _filled(entries: dict[str, QueueEntry], by: str, in_flight: int, now_ms: int) -> list[str]:
    """Give free places; return the events of the calls that get one."""
    while True:
        fill(entries, by, in_flight)
        granted = {name: one for name, one in sorted(entries.items()) if one.slot and one.granted_by == by}
        if not (lost := gone(granted, now_ms)):
            return [one.agent for one in granted.values()]
        for name in lost:
            del entries[name]
