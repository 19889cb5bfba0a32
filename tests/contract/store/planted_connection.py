"""A connection to a store whose scripts are not as they are."""

from collections.abc import Sequence
from typing import Any

from events.adapters.redis import RedisConnection
from tests.contract.store.redis_process import RedisProcess


class PlantedConnection(RedisConnection):
    """In each script, `instead` stands where it says `found`; both empty: the scripts are as they are."""

    def __init__(self, process: RedisProcess, found: str, instead: str) -> None:
        super().__init__(process.settings())
        self._found = found
        self._instead = instead

    async def _evaluate(
        self, text: str, keys: Sequence[str], args: Sequence[str | int], beside: Sequence[Sequence[str | int]]
    ) -> Any:
        """Plant it."""
        return await super()._evaluate(text.replace(self._found, self._instead), keys, args, beside)
