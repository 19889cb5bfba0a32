"""One server that speaks RESP: commands that are ready together are written together, on few kept connections.

Invariants: nothing is sent twice. A command whose answer was lost is never reported as refused, and one that was never
written is reported as unsent. A kept connection that is old, or that the server closed, is replaced before anything is
written to it. Connections to a server that does not answer, or no longer accepts writes, are given up, so the next use
looks up its name again. Must not: know the commands.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
from upstash_redis.errors import UpstashError

from baton.store.transport.batching import Batcher, Bounds

Answered = tuple[list[Any], bool]

# As for the HTTP connections: below a minute, after which devices on the path may have dropped a connection.
_KEPT_SECONDS = 50
# Errors of a server that does not accept writes (yet, or any more).
_LEAVE = ("READONLY", "MASTERDOWN", "LOADING")


class Unsent(Exception):  # noqa: N818 - it says what became of the commands
    """No connection to the server was made, so no command was written; `reason` is the failure."""

    def __init__(self, reason: Exception) -> None:
        super().__init__(str(reason))
        self.reason = reason


class RespNode:
    """A server; `connect` opens a connection, `leave` hears of one that did not answer.

    `connect_seconds`: the share of the time limit in which a connection must be made. `failed_at`: the time of the last
    failure, by the event loop's clock.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[AbstractConnection]],
        leave: Callable[[AbstractConnection], None],
        bounds: Bounds,
    ) -> None:
        self._connect, self._leave = connect, leave
        self.connect_seconds = bounds.seconds
        self.failed_at = 0.0
        self._free: list[tuple[AbstractConnection, float]] = []
        # Separate, so that no step waits for the large answers of readers.
        self._scripts: Batcher[list[bytes], Answered] = Batcher(self._send, bounds)
        self._others: Batcher[list[bytes], Answered] = Batcher(self._send, bounds)

    async def send(self, written: list[bytes], *, scripts: bool) -> Answered:
        """Send commands; return each one's answer or UpstashError, and whether they are the first in their exchange.

        Raises Unsent: the server cannot be reached. OSError: an answer was lost. UpstashError: the login was refused.
        """
        batcher = self._scripts if scripts else self._others
        return await batcher.send(written, len(written), sum(map(len, written)))

    async def close(self) -> None:
        """Give up running requests and close connections."""
        await self._scripts.close()
        await self._others.close()
        await self._drop_free()

    async def _send(self, items: list[list[bytes]]) -> Sequence[Answered | Exception]:
        connection = await self._reached()
        try:
            await connection.send_packed_command([command for send in items for command in send], check_health=False)
            answers = await _read(connection, sum(map(len, items)))
        except RedisError as error:
            await self._give_up()
            raise _failure(error) from error
        except asyncio.CancelledError:
            self._leave(connection)
            await self._give_up()
            raise
        if any(isinstance(answer, UpstashError) and str(answer).startswith(_LEAVE) for answer in answers):
            await connection.disconnect(nowait=True)
            await self._drop_free()
        elif connection.is_connected:
            self._free.append((connection, asyncio.get_running_loop().time()))
        following = iter(answers)
        return [_of_one([next(following) for _ in send], leads=send is items[0]) for send in items]

    async def _reached(self) -> AbstractConnection:
        """Return a connection within its share of the time.

        Raises Unsent: there is none. UpstashError: the login was refused.
        """
        try:
            async with asyncio.timeout(self.connect_seconds):
                return await self._open()
        except (RedisError, OSError) as error:
            await self._give_up()
            failure = _failure(error) if isinstance(error, RedisError) else error
            raise failure if isinstance(failure, UpstashError) else Unsent(failure) from error
        except asyncio.CancelledError:
            await self._give_up()
            raise

    async def _give_up(self) -> None:
        self.failed_at = asyncio.get_running_loop().time()
        await self._drop_free()

    async def _open(self) -> AbstractConnection:
        """Return the last used connection, so that connections beyond the need grow old; else a new one."""
        since = asyncio.get_running_loop().time() - _KEPT_SECONDS
        while self._free:
            connection, used = self._free.pop()
            if used > since and not await _has_ended(connection):
                return connection
            await connection.disconnect(nowait=True)
        return await self._connect()

    async def _drop_free(self) -> None:
        while self._free:
            await self._free.pop()[0].disconnect(nowait=True)


async def _has_ended(connection: AbstractConnection) -> bool:
    """Return whether the server has closed it, or has sent data without a request."""
    try:
        return not connection.is_connected or await connection.can_read()
    except RedisError:
        return True


async def _read(connection: AbstractConnection, count: int) -> list[Any]:
    """Read this many answers; an answer lost with the connection is a ConnectionResetError."""
    answers = list[Any]()
    while len(answers) < count:
        try:
            answers.append(await connection.read_response())
        except ResponseError as error:
            answers.append(refusal(error))
        except RedisConnectionError as error:
            if error.status_code is None:
                raise
            # After a refusal the library closes the connection: later commands may have run.
            answers.append(refusal(error))
            answers += [ConnectionResetError("closed after a refusal")] * (count - len(answers))
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
    return answers


def _of_one(answers: list[Any], *, leads: bool) -> Answered | Exception:
    """Return a caller's answers, or its error; a refusal among them counts more than lost answers after it."""
    lost = [answer for answer in answers if isinstance(answer, ConnectionResetError)]
    refused = any(isinstance(answer, UpstashError) for answer in answers)
    return lost[0] if lost and not refused else (answers, leads)


def refusal(error: RedisError) -> UpstashError:
    """Return the server's error with the text that REST gives: the library removes the first word."""
    return UpstashError(f"{error.status_code} {error}" if error.status_code else str(error))


def _failure(error: RedisError) -> Exception:
    """Convert an error for the connection above: a refusal, or the operating system's error."""
    cause = error.__cause__ or error.__context__
    for each in (error, cause):  # what was refused to a new connection is wrapped
        if isinstance(each, RedisError) and each.status_code:
            return refusal(each)
    if isinstance(error, RedisTimeoutError):
        return TimeoutError()
    return cause if isinstance(cause, OSError) else ConnectionError(str(error))
