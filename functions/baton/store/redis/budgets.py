"""Budgets on Redis: reservations, what they become, the limits that people set, and the calls that wait for room.

One hash a budget has its sums by period, so a call reads all of it by one command; lua/budget.lua says what stands in
it. All are in one hash tag, so one script reserves in all budgets of a call or in none.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, get_args

from msgspec.json import Decoder, encode
from msgspec.structs import replace

from baton.sdk.records.budget import Per, Period, Unit, periods_around
from baton.store.records.budgets import BudgetRow, Reached, Reservation, Settled, Want
from baton.store.redis import keys
from baton.store.redis.connection import RedisConnection, script

_DAY_MS = 86_400_000
# How long a hash is kept after its last period began; what never ends is kept.
_KEPT_MS: dict[Per, int] = {"day": 40 * _DAY_MS, "month": 400 * _DAY_MS, "total": 0}
_UNKNOWN = -1
_OF_PERIOD = ("declared", "spent", "held", "largest", "raised")
_Named = tuple[str, Per, Unit]
_named_by = Decoder(_Named).decode


@cache
def _text(name: str) -> str:
    return script(name, "budget")


class Budgets:
    """Counts what calls with the same key have spent and reserved, by the store's clock.

    A reservation has the name of its call: made or settled twice under one name, it counts once. It never becomes free
    by time: at the end of its lease it counts in full. Each method raises StoreError when the store does not answer.

    `now_ms`: another clock than the store's.
    """

    def __init__(self, connection: RedisConnection, now_ms: Callable[[], int] | None = None) -> None:
        self._redis = connection
        self._now_ms = now_ms

    async def reserve(self, wants: Sequence[Want], name: str, event: str, lease_ms: int) -> Reservation:
        """Reserve in all budgets of a call, or in none.

        `wants`: of the call; no budget twice. `name`: of the call and its attempt. `event`: published once there may
        be room for a call that has to wait; empty: it comes by itself. `lease_ms`: after this time it counts in full.
        """
        asking = [
            _want((one.key, one.per, one.unit), one.zone)
            | {"limit": one.limit, "amount": _UNKNOWN if one.amount is None else one.amount}
            | {"fixed": one.fixed, "waits": one.waits, "asks": one.asks, "periods": one.periods}
            for one in wants
        ]
        outcome, periods, *sums, reached = await self._run("reserve", asking, name=name, note=event, lease=lease_ms)
        return replace(Reservation(outcome, tuple(periods), *sums), reached=_reached(reached))

    async def settle(
        self, wants: Sequence[Want], periods: Sequence[str], name: str, costs: Sequence[int | None]
    ) -> Settled:
        """Let the costs of a call take the place of what it has reserved; None: it counts in full."""
        over = [
            _want((one.key, one.per, one.unit), one.zone)
            | {"over": True, "limit": one.limit, "amount": one.amount or 0, "period": period}
            | {"cost": _UNKNOWN if cost is None else cost}
            for one, period, cost in zip(wants, periods, costs, strict=True)
        ]
        woken, reached = await self._run("settle", over, name=name)
        return Settled(tuple(woken), _reached(reached))

    async def raise_limit(
        self, key: str, per: Per, unit: Unit, period: str, limit: int, *, once: str = ""
    ) -> tuple[str, ...]:
        """Raise the limit for this period, for everybody; return the events of calls to wake. It never lowers one.

        `once`: under this name for a day, as the limit may be set to less meanwhile; empty: whenever it is called.
        """
        named: _Named = (key, per, unit)
        of_call = {"name": f"raise:{once}"} if once else {}
        changes = [_change(named, zone, period) | {"raised": limit} for zone in await self._zones(named)]
        return tuple((await self._run("settle", changes, **of_call))[0])

    async def set_limit(
        self, key: str, per: Per, unit: Unit, limit: int | None, *, every: bool = False
    ) -> tuple[str, ...]:
        """Set the limit of the present period, or of every one; return the events of calls to wake.

        None: the limits count again that calls declare.
        """
        named: _Named = (key, per, unit)
        now_ms, changes = await self._time_ms(), list[dict[str, Any]]()
        for zone in await self._zones(named):
            name = _present(per, zone, now_ms).name
            fields = {} if limit is None else {"limit" if every else f"limit:{name}": str(limit)}
            dropped = {f"raised:{name}@{zone}"} | ({"limit", f"limit:{name}"} if every or limit is None else set())
            changes.append(_change(named, zone, name) | {"fields": fields, "dropped": sorted(dropped - set(fields))})
        return tuple((await self._run("settle", changes))[0])

    async def units(self, key: str, per: Per) -> tuple[Unit, ...]:
        members = {unit: _member((key, per, unit)) for unit in get_args(Unit)}
        known = await self._redis.execute("ZMSCORE", keys.BUDGETS, *members.values())
        return tuple(unit for unit, score in zip(members, known, strict=True) if score is not None)

    async def rows(self, key: str = "", limit: int = 100, cursor: str = "") -> tuple[tuple[BudgetRow, ...], str]:
        """Return budgets in their present periods, those last used first, and a cursor; empty: these are all.

        `key`: all of this key, and no others.
        """
        if key:
            every = [(key, per, unit) for per in get_args(Per) for unit in get_args(Unit)]
            return await self._rows_of(every), ""
        score, _, skipped = cursor.partition("-")
        page = ("BYSCORE", "REV", "LIMIT", int(skipped or 0), limit, "WITHSCORES")
        flat = await self._redis.execute("ZRANGE", keys.BUDGETS, score or "+inf", "-inf", *page)
        # A transport may answer pairs, or both in turn.
        pairs = flat if flat and not isinstance(flat[0], str) else zip(flat[::2], flat[1::2], strict=True)
        found = [(member, f"{float(last):.0f}") for member, last in pairs]
        rows = await self._rows_of([_named_by(member) for member, _ in found])
        if len(found) < limit:
            return rows, ""
        last = found[-1][1]
        same = sum(each == last for _, each in found) + (int(skipped or 0) if score == last else 0)
        return rows, f"{last}-{same}"

    async def forget(self, key: str, per: Per, unit: Unit, events: Sequence[str]) -> None:
        """Let calls with these events wait no more."""
        await self._redis.execute("ZREM", keys.budget_keys(key, per, unit)[1], *events)

    async def waiting(self, key: str, per: Per, unit: Unit, limit: int) -> tuple[str, ...]:
        """Return the events of calls that wait for room, those that have waited longest first."""
        return tuple(await self._redis.execute("ZRANGE", keys.budget_keys(key, per, unit)[1], 0, limit - 1))

    async def _rows_of(self, named: Sequence[_Named]) -> tuple[BudgetRow, ...]:
        if not named:
            return ()
        now_ms = await self._time_ms()
        zones = await self._redis.pipeline(*(["HGET", keys.budget_keys(*one)[0], "zones"] for one in named))
        gone = [_member(one) for one, text in zip(named, zones, strict=True) if not text]
        there = [
            (one, zone, _present(one[1], zone, now_ms))
            for one, text in zip(named, zones, strict=True)
            for zone in str(text or "").split()
        ]
        reads = list[list[str | int]]()
        for one, zone, period in there:
            state, waits = keys.budget_keys(*one)
            of_period = [f"{field}:{period.name}@{zone}" for field in _OF_PERIOD]
            reads += [["HMGET", state, *of_period, f"limit:{period.name}", "limit"], ["ZCARD", waits]]
        if gone:
            reads.append(["ZREM", keys.BUDGETS, *gone])
        answers = await self._redis.pipeline(*reads) if reads else []
        return tuple(
            _row(one, zone, period, answers[2 * at], int(answers[2 * at + 1]))
            for at, (one, zone, period) in enumerate(there)
        )

    async def _run(self, what: str, wants: Sequence[dict[str, Any]], **of_call: str | int) -> Any:
        named = [name for one in wants for name in one.pop("keys")]
        plan = {"wants": wants, **of_call} | ({"now": self._now_ms()} if self._now_ms else {})
        return await self._redis.run(_text(what), [keys.BUDGETS, *named], [encode(plan).decode()])

    async def _zones(self, named: _Named) -> list[str]:
        found = await self._redis.execute("HGET", keys.budget_keys(*named)[0], "zones")
        return str(found or "UTC").split()

    async def _time_ms(self) -> int:
        if self._now_ms:
            return self._now_ms()
        time = await self._redis.execute("TIME")
        return 1000 * int(time[0]) + int(time[1]) // 1000


def _want(named: _Named, zone: str) -> dict[str, Any]:
    return {"keys": keys.budget_keys(*named), "member": _member(named), "zone": zone, "kept_ms": _KEPT_MS[named[1]]}


def _change(named: _Named, zone: str, period: str) -> dict[str, Any]:
    return _want(named, zone) | {"period": period, "fields": {}, "dropped": []}


def _member(named: _Named) -> str:
    return encode(named).decode()


def _present(per: Per, zone: str, now_ms: int) -> Period:
    return next(one for one in reversed(periods_around(per, zone, now_ms)) if one.begins_ms <= now_ms)


def _reached(found: Sequence[Sequence[Any]]) -> tuple[Reached, ...]:
    return tuple(Reached(*one) for one in found)


def _row(named: _Named, zone: str, period: Period, found: Sequence[str | None], waiting: int) -> BudgetRow:
    numbers = [None if text is None else int(text) for text in found]
    declared, spent, held, largest, raised, of_period, every = numbers
    limit = next((one for one in (of_period, every, declared) if one is not None), 0)
    sums = (max(limit, raised or 0), spent or 0, held or 0, largest or 0)
    return BudgetRow(*named, zone, period.name, declared, *sums, waiting, period.ends_ms)
