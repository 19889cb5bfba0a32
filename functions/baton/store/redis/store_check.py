"""`StoreCheck` over the connection that the functions use."""

from collections.abc import Mapping

from baton.settings.settings import Settings
from baton.store.redis.connection import RedisConnection, counted
from baton_events.errors import StoreError

# As the product's scripts: declared keys, and what is put around them.
_SCRIPT = """redis.call('SET', KEYS[1], ARGV[1], 'PX', 10000)
local found = redis.call('GET', KEYS[1])
redis.call('DEL', KEYS[1])
return found
"""
_WORD = "probe"


class StoreCheck:
    """Checks a store without touching any job. Each method raises StoreError.

    Checks the store that the settings name.
    """

    def __init__(self, settings: Settings) -> None:
        self._connection = RedisConnection(settings)

    async def ping(self) -> None:
        """Check that the store answers."""
        answer = await self._connection.execute("PING")
        if answer != "PONG":
            raise StoreError(f"PING was answered with {str(answer)[:100]!r}: this is no Redis")

    async def try_script(self, key: str) -> None:
        """Run a script that writes, reads and deletes the key."""
        found = await self._connection.run(counted(_SCRIPT), [key], [_WORD])
        if found != _WORD:
            raise StoreError(f"a script read {str(found)[:100]!r} where it had written {_WORD!r}")

    async def about(self) -> Mapping[str, str]:
        """Return the store's description of itself, by the names of INFO; empty where it has none."""
        try:
            text = str(await self._connection.execute("INFO"))
        except StoreError:
            return {}
        pairs = (line.partition(":") for line in text.splitlines())
        return {name: value.strip() for name, colon, value in pairs if colon}

    async def close(self) -> None:
        """Close connections."""
        await self._connection.close()
