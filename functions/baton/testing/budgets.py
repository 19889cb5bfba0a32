"""The budgets of a simulation: the product's, with points before and after each reservation and each settlement.

Invariant: runs of one simulation share them, as they share the store. Must not: decide when a process ends.
"""

from collections.abc import Sequence

from baton.store.records.budgets import Reservation, Settled, Want
from baton.store.redis.budgets import Budgets
from baton.store.redis.connection import RedisConnection
from baton.testing.store import Surroundings


class SimulatedBudgets(Budgets):
    """`Budgets` of one process."""

    def __init__(self, world: Surroundings, connection: RedisConnection) -> None:
        super().__init__(connection)
        self._world = world

    async def reserve(self, wants: Sequence[Want], name: str, event: str, lease_ms: int) -> Reservation:
        """Reserve in all budgets of a call, or in none."""
        await self._world.point("before the reservation of the next turn")
        reservation = await super().reserve(wants, name, event, lease_ms)
        await self._world.point("after the reservation of the next turn")
        return reservation

    async def settle(
        self, wants: Sequence[Want], periods: Sequence[str], name: str, costs: Sequence[int | None]
    ) -> Settled:
        """Let the costs of a call take the place of what it has reserved."""
        await self._world.point("before its cost is settled")
        settled = await super().settle(wants, periods, name, costs)
        await self._world.point("after its cost is settled")
        return settled
