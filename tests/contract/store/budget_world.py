"""Budgets by a clock of their own."""

from datetime import UTC, datetime

from baton.sdk.records.budget import Per, periods_around
from baton.store.records.budgets import BudgetRow, Reservation, Settled, Want
from baton.store.redis import keys
from baton.store.redis.budgets import Budgets
from baton.store.redis.connection import RedisConnection

LEASE_MS = 300_000
DAY_MS = 86_400_000
NOON_MS = int(datetime(2026, 11, 27, 12, tzinfo=UTC).timestamp() * 1000)
TODAY, TOMORROW = "2026-11-27", "2026-11-28"
STATE = keys.budget_keys("acme", "day", "usd")[0]


class World:
    """A clock, and budgets by it. Calls declare that they cost `amount`, of a limit of 100."""

    def __init__(self, redis: RedisConnection) -> None:
        self.now_ms, self.redis = NOON_MS, redis
        self.budgets = Budgets(redis, lambda: self.now_ms)

    def want(self, amount: int | None = 10, *, limit: int = 100, per: Per = "day", zone: str = "UTC") -> Want:
        """A budget of the key `acme`, as a function with the right time asks for it."""
        periods = periods_around(per, zone, self.now_ms)
        return Want("acme", per, "usd", zone, limit, amount, periods, fixed=amount is not None)

    async def reserve(self, name: str, *wants: Want) -> Reservation:
        return await self.budgets.reserve(wants or [self.want()], name, f"event of {name}", LEASE_MS)

    async def settle(self, name: str, cost: int | None, *wants: Want, period: str = TODAY) -> Settled:
        """A call is over, and costs the same in all its budgets."""
        named = wants or (self.want(),)
        return await self.budgets.settle(named, [period] * len(named), name, [cost] * len(named))

    async def spent(self, name: str, cost: int) -> None:
        """A call has reserved what it costs, and is over."""
        assert (await self.reserve(name, self.want(cost))).outcome == "granted"
        await self.settle(name, cost)

    async def row(self, key: str = "acme") -> BudgetRow:
        [row], cursor = await self.budgets.rows(key)
        assert cursor == ""
        return row

    async def sums(self) -> tuple[int, int]:
        """What is spent and reserved."""
        row = await self.row()
        return row.spent, row.reserved
