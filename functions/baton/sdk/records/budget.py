"""What calls with the same key may spend in a day, a month, or ever: declared by agents. Data only.

Invariant: one budget is one key, one length of its periods with their zone, and one unit, wherever it is declared.
Amounts are whole micro-dollars or tokens, never floats. Must not: count, which the store does.
"""

import math
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Literal, get_args

from msgspec import Struct

from baton.sdk.records.call_limit import LimitedCall, check_key, key_of
from baton.sdk.records.limits import MOST, MOST_USD, is_number, is_whole
from baton.sdk.records.record import Record
from baton_events.timestamps import zone_of

Per = Literal["day", "month", "total"]
Unit = Literal["usd", "tokens"]
OnUsedUp = Literal["fail", "wait", "ask"]
_MICRO = 1_000_000


class Budget(Record, frozen=True):
    """The most that model calls with the same key may spend, over all functions together. Each reserves it before.

    Args:
        key: whose money it is, such as "acme"; or a function that makes it from the `LimitedCall`. It is stored and
            shown, so put no secret into it.
        usd: the limit in US dollars. Pass it or `tokens`.
        tokens: the limit in tokens, input and output together.
        per: the period after which it begins anew: "day", "month", or "total", which never ends.
        on_limit: what becomes of a call that it has no room for: "fail" fails the job (`budget_exceeded`), "wait" waits
            until the period ends, "ask" lets a person raise it.
        reserve: what one call is expected to cost at most, in dollars or tokens; None: estimated by the calls before.
        time_zone: the IANA name of the zone whose days and months count.
    """

    key: str | Callable[[LimitedCall], str]
    usd: float | None = None
    tokens: int | None = None
    per: Per = "day"
    on_limit: OnUsedUp = "fail"
    reserve: float | None = None
    time_zone: str = "UTC"

    def __post_init__(self) -> None:
        check_key("Budget", self.key)
        if faults := list(self._faults()):
            raise ValueError(f"Budget {self.key!r}: {'; '.join(faults)}")

    @property
    def unit(self) -> Unit:
        return "tokens" if self.usd is None else "usd"

    @property
    def limit(self) -> int:
        """The limit as the store counts it: rounded down, so that no call passes it."""
        return (self.tokens or 0) if self.usd is None else max(1, math.floor(_micro(self.usd)))

    def key_of(self, call: LimitedCall) -> str:
        """Return the key of this call, or raise ValueError: the function returned none."""
        return key_of("Budget", self.key, call)

    def _faults(self) -> Iterator[str]:
        if (self.usd is None) == (self.tokens is None):
            yield "pass either usd or tokens; two limits are two budgets"
        if self.tokens is not None and not (is_whole(self.tokens) and self.tokens > 0):
            yield f"tokens must be a whole number above 0, got {self.tokens!r}; the most is {MOST}"
        for name, value in (("usd", self.usd), ("reserve", self.reserve)):
            most = MOST if self.tokens is not None and name == "reserve" else MOST_USD
            if value is not None and not (is_number(value) and 0 < value <= most):
                yield f"{name} must be a finite number above 0, got {value!r}; the most is {most}"
        for name, chosen, known in (("per", self.per, Per), ("on_limit", self.on_limit, OnUsedUp)):
            if chosen not in get_args(known):
                yield f"{name} must be one of {', '.join(map(repr, get_args(known)))}, got {chosen!r}"
        if (self.per, self.on_limit) == ("total", "wait"):
            yield "per='total' never ends, so on_limit='wait' would wait forever: use 'ask' or 'fail'"
        try:
            zone_of(self.time_zone)
        except ValueError as error:
            yield f"time_zone: {error}"


def amount_of(unit: Unit, value: float) -> int:
    """Return a cost as the store counts it: micro-dollars or tokens, rounded up. One beyond all limits is the most."""
    return min(MOST, math.ceil(_micro(value) if unit == "usd" else value))


def shown_amount(unit: Unit, amount: int) -> float:
    """Return an amount of the store in dollars or tokens."""
    return amount / _MICRO if unit == "usd" else amount


def _micro(usd: float) -> float:
    # 0.07 * 1e6 is 70000.00000000001: what floats add must not round up to one more.
    return round(usd * _MICRO, 3)


class Period(Struct, frozen=True):
    """One period of a budget. `name`: 2026-11-27, 2026-11 or total; `ends_ms` 0: it never ends."""

    name: str
    begins_ms: int
    ends_ms: int


_EVER = Period("total", 0, 0)


def periods_around(per: Per, time_zone: str, now_ms: int) -> tuple[Period, ...]:
    """Return the period before, this one and the next; of `total` there is one.

    The store chooses among them by its own clock, so functions' clocks may differ by hours.
    """
    if per == "total":
        return (_EVER,)
    today = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(zone_of(time_zone)).date()
    return _periods(per, time_zone, today if per == "day" else today.replace(day=1))


@lru_cache(maxsize=64)
def _periods(per: Per, time_zone: str, first: date) -> tuple[Period, ...]:
    """Return the periods around the one that begins with this day: each call asks for them."""
    days = [_moved(first, per, by) for by in (-1, 0, 1, 2)]
    starts = [_begins_ms(day, time_zone) for day in days]
    names = [day.isoformat()[: 10 if per == "day" else 7] for day in days]
    return tuple(Period(*one) for one in zip(names, starts, starts[1:], strict=False))


def _moved(day: date, per: Per, by: int) -> date:
    if per == "day":
        return day + timedelta(days=by)
    months = 12 * day.year + day.month - 1 + by
    return date(months // 12, months % 12 + 1, 1)


def _begins_ms(day: date, time_zone: str) -> int:
    """Return when a day begins: its first hour may be missing, or be there twice, where clocks are changed."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone_of(time_zone))
    return int(midnight.astimezone(UTC).timestamp() * 1000)
