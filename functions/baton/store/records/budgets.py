"""Budgets: what model calls with one key may spend in a period, and their records.

A call reserves its amount before it begins, and the reservation becomes its real cost after it. The rule is in
store/redis/lua/reserve.lua: one script checks and adds, so no call comes in between. Amounts are whole micro-dollars or
tokens.
"""

from typing import Literal

from msgspec import Struct

from baton.sdk.records.budget import Per, Period, Unit


class Want(Struct, frozen=True):
    """One budget in which a call wants room.

    `limit`: as declared; one that people have set counts instead. `amount`: what the call costs at most; None: its
    price is unknown. `periods`: around the function's time; the store chooses by its own. `fixed`: the amount is
    declared, so the largest call that the store knows does not raise it. `waits`: a call that finds the budget used up
    is woken when somebody raises it. `asks`: a person is asked then, and a raise sends this event in place of its own.
    """

    key: str
    per: Per
    unit: Unit
    time_zone: str
    limit: int
    amount: int | None
    periods: tuple[Period, ...]
    fixed: bool = False
    waits: bool = True
    asks: str = ""

    @property
    def zone(self) -> str:
        """The zone of its periods; what never ends has none of its own."""
        return "UTC" if self.per == "total" else self.time_zone


class Reached(Struct, frozen=True):
    """A budget has reached this share of its limit. `want`: its index among those of the call."""

    want: int
    percent: int
    period: str
    spent: int
    limit: int


class Reservation(Struct, frozen=True):
    """What a reservation answers.

    `outcome`: `busy`: only what others have reserved is in the way; `used_up`: the rest is too small for the call.
    `periods`: of a granted call: the period of each want. `want`: the index of the budget that refuses; the sums are
    its own. `resets_ms`: when its period ends; 0: never. `waited_ms`: how long the call has waited for this budget.
    `reached`: by calls whose time was over.
    """

    outcome: Literal["granted", "busy", "used_up"]
    periods: tuple[str, ...] = ()
    want: int = 0
    period: str = ""
    limit: int = 0
    spent: int = 0
    reserved: int = 0
    asked: int = 0
    resets_ms: int = 0
    waited_ms: int = 0
    reached: tuple[Reached, ...] = ()


class Settled(Struct, frozen=True):
    """What follows from the end of a call. `woken`: the events of calls for which there is room now."""

    woken: tuple[str, ...] = ()
    reached: tuple[Reached, ...] = ()


class BudgetRow(Struct, frozen=True):
    """A budget in its present period.

    `declared`: the limit that its last call declared; None: no call has asked for it. `limit`: the one that counts.
    `largest`: the cost of its dearest call. `waiting`: calls that are woken once there is room. `resets_ms`: when the
    period ends; 0: never.
    """

    key: str
    per: Per
    unit: Unit
    time_zone: str
    period: str
    declared: int | None
    limit: int
    spent: int
    reserved: int
    largest: int
    waiting: int
    resets_ms: int

    @property
    def left(self) -> int:
        """What the next call may have; never below 0."""
        return max(0, self.limit - self.spent - self.reserved)
