"""The adapters' commands over RESP, to one server or to a cluster; answers have the shapes of REST's.

Invariants: a command goes to the owner of its key's slot; commands of one pipeline with several owners are sent to
each, in their order there. Only a command that a server has redirected, and so not run, is sent again, once. A server
that redirects is part of a cluster: CLUSTER SLOTS gives the map of its slots.
"""

import asyncio
from binascii import crc_hqx
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, cast

from hiredis import pack_command
from redis.asyncio.connection import AbstractConnection, ConnectionPool, SSLConnection, UnixDomainSocketConnection
from upstash_redis.errors import UpstashError
from upstash_redis.format import cast_response

from baton.settings.store import wants_cluster, without_cluster
from baton.transport.batching import Bounds
from baton.transport.http_transport import tls_context
from baton.transport.redis_node import Answered, RespNode
from baton.transport.redis_rest import Command

Place = tuple[str, int]

_SLOT_COUNT = 16_384
_KEYLESS = frozenset({"PING", "INFO", "SCRIPT", "CLUSTER", "COMMAND", "TIME", "DBSIZE", "CONFIG", "FLUSHALL"})
_KEY_AFTER_SUBCOMMAND = frozenset({"XGROUP", "XINFO", "OBJECT", "MEMORY"})


class SlotMap:
    """Ranges of slots and their owners. `answering`: the server that sent them, which a missing name stands for."""

    def __init__(self, answer: Sequence[Any], answering: Place) -> None:
        ranges = sorted(
            (int(first), int(last), place_of(owner[0], owner[1], answering)) for first, last, owner, *_ in answer
        )
        self._firsts = [first for first, _, _ in ranges]
        self._ranges = ranges

    @property
    def places(self) -> tuple[Place, ...]:
        """Every owner."""
        return tuple(dict.fromkeys(place for _, _, place in self._ranges))

    def owner(self, key: str | None) -> Place:
        """Return the owner of the key's slot; any server for no key, or an unowned slot: that server redirects."""
        if key is None:
            return self.places[0]
        slot = slot_of(key)
        first, last, place = self._ranges[max(0, bisect_right(self._firsts, slot) - 1)]
        return place if first <= slot <= last else self.places[0]


def slot_of(key: str) -> int:
    """Compute the slot of a key: of its hash tag, if it has one."""
    begin = key.find("{")
    end = key.find("}", begin + 1)
    tag = key[begin + 1 : end] if begin >= 0 and end > begin + 1 else key
    return crc_hqx(tag.encode(), 0) % _SLOT_COUNT


def keys_of(command: Sequence[str | int]) -> tuple[str, ...]:
    """Return the keys of a command that the adapters send: all of a script, else its one key."""
    name = str(command[0]).upper()
    if name in _KEYLESS:
        return ()
    if name in ("EVAL", "EVALSHA"):
        return tuple(map(str, command[3 : 3 + int(command[2])]))
    if name in ("XREAD", "XREADGROUP"):
        named = command[1 + [str(word).upper() for word in command].index("STREAMS") :]
        return tuple(map(str, named[: len(named) // 2]))
    if name in ("EXISTS", "DEL", "UNLINK", "MGET"):
        return tuple(map(str, command[1:]))
    return (str(command[2 if name in _KEY_AFTER_SUBCOMMAND else 1]),)


def place_of(host: str | None, port: int | str, answering: Place) -> Place:
    """Return a server's address from another's answer; a server without a name has the other's host."""
    return (answering[0] if host in (None, "", "?") else str(host)), int(port)


def redirection(answer: str, answering: Place) -> Place:
    """Parse the address in MOVED or ASK."""
    host, _, port = answer.split(" ")[2].rpartition(":")
    return place_of(host.strip("[]"), port, answering)


# As over HTTP (redis_rest.py); a server takes 512 MB in a value, and answers as much.
_REQUESTS, _ENTRIES, _SIZE_BYTES = 2, 64, 1_000_000
_MOVED = "MOVED "
_REDIRECTED = (_MOVED, "ASK ")


def _written(command: Command) -> bytes:
    packed: bytes = cast("Any", pack_command)(tuple(command))  # its stub knows tuples of one word only
    return packed


_ASKING, _LIST_SLOTS = _written(["ASKING"]), _written(["CLUSTER", "SLOTS"])


class RespCommands:
    """Sends commands in one event loop; nothing is opened before the first."""

    def __init__(self, address: str, limit_seconds: float) -> None:
        # RESP2: its answers have the shapes of the REST API's JSON. Bytes that are no UTF-8 are shown as there.
        options: dict[str, Any] = {
            "protocol": 2,
            "decode_responses": True,
            "encoding_errors": "replace",
            "socket_timeout": None,  # callers have a time limit of their own (batching.py)
            "socket_connect_timeout": limit_seconds,
            "driver_info": None,
        }
        self._pool = ConnectionPool.from_url(without_cluster(address), **options)
        self._own_tls = "ssl_" in address
        self._seconds = limit_seconds
        self._bounds = Bounds(_REQUESTS, _ENTRIES, _SIZE_BYTES, limit_seconds)
        known = self._pool.connection_kwargs
        self._first: Place = (str(known.get("host", "localhost")), int(known.get("port", 6379)))
        self._nodes: dict[Place, RespNode] = {}
        self._slots: SlotMap | None = None
        self._must_learn = wants_cluster(address)
        self._learning = asyncio.Lock()

    async def execute_all(self, commands: Sequence[Command], *, beside_scripts: bool = False) -> tuple[list[Any], bool]:
        """Run commands one after the other, not atomically: see redis_rest.py."""
        written = [_written(command) for command in commands]
        scripts = beside_scripts or str(commands[0][0]).startswith("EVAL")
        if self._slots is None and not self._must_learn:
            answers, leads = await self._node(self._first).send(written, scripts=scripts)
        else:
            async with asyncio.timeout(self._seconds):  # for the map and the answers together
                answers, leads = await self._to_owners(commands, written, scripts=scripts)
        if any(map(_is_redirected, answers)):
            async with asyncio.timeout(self._seconds):
                answers = await self._followed(commands, written, answers)
        return [_shaped(command, answer) for command, answer in zip(commands, answers, strict=True)], leads

    async def close(self) -> None:
        """Give up running requests and close connections."""
        for node in self._nodes.values():
            await node.close()

    def _node(self, place: Place) -> RespNode:
        if place not in self._nodes:
            self._nodes[place] = RespNode(lambda: self._connection(place), self._bounds)
        return self._nodes[place]

    def _connection(self, place: Place) -> AbstractConnection:
        kind, known = self._pool.connection_class, self._pool.connection_kwargs
        if not issubclass(kind, UnixDomainSocketConnection):
            known = {**known, "host": place[0], "port": place[1]}
        made = kind(**known)
        if isinstance(made, SSLConnection) and not self._own_tls:
            made.ssl_context.context = tls_context()  # otherwise each would read the CA certificates anew
        return made

    async def _to_owners(self, commands: Sequence[Command], written: list[bytes], *, scripts: bool) -> Answered:
        slots = await self._map()
        by_owner: dict[Place, list[int]] = {}
        for position, command in enumerate(commands):
            by_owner.setdefault(slots.owner(next(iter(keys_of(command)), None)), []).append(position)
        answering = [
            self._node(owner).send([written[position] for position in positions], scripts=scripts)
            for owner, positions in by_owner.items()
        ]
        found = await asyncio.gather(*answering, return_exceptions=True)
        answers: list[Any] = [None] * len(commands)
        for positions, result in zip(by_owner.values(), found, strict=True):
            if isinstance(result, BaseException):
                self._must_learn = self._must_learn or isinstance(result, OSError)  # the slot may have a new owner
                raise result
            for position, answer in zip(positions, result[0], strict=True):
                answers[position] = answer
        return answers, any(result[1] for result in found if not isinstance(result, BaseException))

    async def _followed(self, commands: Sequence[Command], written: list[bytes], answers: list[Any]) -> list[Any]:
        """Follow redirections once, and return all answers; a second redirection stays an error."""
        if any(_is_redirected(answer) and str(answer).startswith(_MOVED) for answer in answers):
            self._must_learn = True
            with suppress(OSError, UpstashError):  # then the next command tries again
                await self._map()
        found = list(answers)
        for position, answer in enumerate(answers):
            if _is_redirected(answer):
                moved = str(answer).startswith(_MOVED)
                node = self._node(redirection(str(answer), self._first))
                scripts = str(commands[position][0]).startswith("EVAL")
                again = [written[position]] if moved else [_ASKING, written[position]]
                (*_, found[position]), _ = await node.send(again, scripts=scripts)
        return found

    async def _map(self) -> SlotMap:
        """Return the cluster's map, read anew once an answer has shown that it has changed."""
        async with self._learning:
            if self._slots is None or self._must_learn:
                self._slots = await self._learned()
                self._must_learn = False
            return self._slots

    async def _learned(self) -> SlotMap:
        """Read the map from the first server that has it.

        Raises:
            OSError, UpstashError: the last one's failure.
        """
        known = self._slots.places if self._slots is not None else ()
        failure: Exception = ConnectionError("no server could be reached")
        for place in dict.fromkeys((self._first, *known)):
            try:
                (answer,), _ = await self._node(place).send([_LIST_SLOTS], scripts=False)
                if isinstance(answer, UpstashError):
                    failure = answer
                elif answer:
                    return SlotMap(answer, place)
            except (OSError, UpstashError) as error:
                failure = error
        raise failure


def _is_redirected(answer: Any) -> bool:
    return isinstance(answer, UpstashError) and str(answer).startswith(_REDIRECTED)


def _shaped(command: Command, answer: Any) -> Any:
    """Convert an answer to the shape that the SDK gives REST's answers."""
    if isinstance(answer, UpstashError):
        return answer
    return cast_response(cast("list[str]", command), answer, None)
