"""A connection to a store whose scripts are not as they are."""

from collections.abc import Sequence

from events.adapters.redis import Asked, RedisConnection
from events.settings import Settings
from tests.contract.store.redis_process import TOKEN, RedisProcess


class PlantedConnection(RedisConnection):
    """In each script, `instead` stands where it says `found`; both empty: the scripts are as they are."""

    def __init__(self, process: RedisProcess, found: str, instead: str) -> None:
        super().__init__(Settings(redis_url=process.url, redis_token=TOKEN))
        self._found = found
        self._instead = instead

    async def ask(
        self,
        text: str,
        keys: Sequence[str],
        args: Sequence[str | int],
        beside: Sequence[Sequence[str | int]] = (),
    ) -> Asked:
        """Plant it."""
        return await super().ask(text.replace(self._found, self._instead), keys, args, beside)
