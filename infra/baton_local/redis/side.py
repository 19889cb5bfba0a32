"""Commands that need a connection of their own, because they block or must overtake one that does.

Invariant: the shared connection is never touched; the number of side connections is bounded; each is closed with the
work that it was opened for, also when the client goes away first.
"""

import asyncio
import secrets

from baton_local.redis.address import ServerAddress
from baton_local.redis.connection import ServerConnection
from baton_local.redis.link import RedisUnavailableError, callbacks
from baton_local.redis.resp import Reply, encode_command

_WAITING = frozenset({b"WAIT", b"WAITAOF"})
_CONNECT_TIMEOUT_SECONDS = 2.0


class SideConnections:
    """Opens connections besides the shared one."""

    def __init__(self, address: ServerAddress, limit: int = 64) -> None:
        self._address = address
        self._limit = limit
        self._open = 0

    async def call(self, commands: list[list[bytes]]) -> list[Reply]:
        """Run commands in order on a fresh connection.

        Raises:
            RedisUnavailableError: no connection, or it was lost before all replies had come.
        """
        if self._open >= self._limit:
            raise RedisUnavailableError(
                f"{self._limit} blocking commands are already waiting; the command was not sent"
            )
        self._open += 1
        try:
            return await self._call(commands)
        finally:
            self._open -= 1

    async def _call(self, commands: list[list[bytes]]) -> list[Reply]:
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_SECONDS):
                connection = await self._address.connect(lambda: ServerConnection(lambda: None))
        except (OSError, TimeoutError):
            raise RedisUnavailableError(f"no connection to the Redis server at {self._address}") from None
        outcome: asyncio.Future[list[Reply]] = asyncio.get_running_loop().create_future()
        extra = _write_before(commands)
        frames = b"".join([encode_command(command) for command in extra + commands])
        try:
            connection.send(frames, len(extra) + len(commands), *callbacks(outcome))
            return (await outcome)[len(extra) :]
        finally:
            connection.abort()


def _write_before(commands: list[list[bytes]]) -> list[list[bytes]]:
    """What makes WAIT and WAITAOF mean something on a fresh connection.

    They wait for the connection's own last write, and a fresh one has none. A write that undoes itself within one
    transaction is seen by nobody and comes after every write that the client has had an answer to.
    """
    if not any(command[0].upper() in _WAITING for command in commands):
        return []
    key = b"redis-rest-bridge:" + secrets.token_hex(8).encode()
    return [[b"MULTI"], [b"SET", key, b""], [b"DEL", key], [b"EXEC"]]
