"""The adapters' commands over RESP, to one server or to a cluster; answers have the shapes of REST's.

Invariants: a command goes to the owner of its key's slot; commands of one pipeline with several owners are sent to
each, in their order there. Only a command that did not run is sent again: one that a server has redirected, once, and
one for which no connection was made. A server that redirects is part of a cluster: CLUSTER SLOTS gives the map of its
slots. Each request has one time limit; a connection and the map have half of it at most. After a failure the map is
read anew, from whichever server answers first.

The library's own client for clusters is not used: it sends again what may have run, and without that never reads the
map anew after a pipeline (tests/unit/baton/store/transport/test_resp_library.py).
"""

import asyncio
from binascii import crc_hqx
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any, cast

from hiredis import pack_command
from redis.asyncio.connection import (
    AbstractConnection,
    Connection,
    ConnectionPool,
    SSLConnection,
    UnixDomainSocketConnection,
)
from upstash_redis.errors import UpstashError
from upstash_redis.format import cast_response

from baton.settings.store import wants_cluster, without_cluster
from baton.store.transport.batching import Bounds
from baton.store.transport.dialing import Dialer, first_of
from baton.store.transport.redis_node import Answered, RespNode, Unsent
from baton.store.transport.redis_rest import Command
from baton_events.proxies import tls_context

Place = tuple[str, int]

_SLOT_COUNT = 16_384
_KEYLESS = frozenset({"PING", "INFO", "SCRIPT", "CLUSTER", "COMMAND", "TIME", "DBSIZE", "CONFIG", "FLUSHALL"})
_KEY_AFTER_SUBCOMMAND = frozenset({"XGROUP", "XINFO", "OBJECT", "MEMORY"})


class SlotMap:
    """Ranges of slots and their owners. `answering`: the server that sent them, which a missing name stands for.

    `servers`: owners and their replicas, any of which may be an owner next.
    """

    def __init__(self, answer: Sequence[Any], answering: Place) -> None:
        self.servers = tuple(
            dict.fromkeys(place_of(each[0], each[1], answering) for _, _, *servers in answer for each in servers)
        )
        ranges = sorted(
            (int(first), int(last), place_of(owner[0], owner[1], answering)) for first, last, owner, *_ in answer
        )
        self._firsts = [first for first, _, _ in ranges]
        self._ranges = ranges

    @property
    def places(self) -> tuple[Place, ...]:
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
# Of a request's time limit: the rest is for another server.
_SHARE = 0.5


class _NamedTls(SSLConnection):
    """A connection to an address, whose certificate is checked against the name that was dialed."""

    server_name = ""

    def _connection_arguments(self) -> Any:
        return {**super()._connection_arguments(), "server_hostname": self.server_name}


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
        self._dialer = Dialer()
        self._slots: SlotMap | None = None
        self._must_learn = wants_cluster(address)
        self._learning = asyncio.Lock()

    async def execute_all(self, commands: Sequence[Command], *, beside_scripts: bool = False) -> tuple[list[Any], bool]:
        """Run commands one after the other, not atomically: see redis_rest.py."""
        written = [_written(command) for command in commands]
        scripts = beside_scripts or str(commands[0][0]).startswith("EVAL")
        until = asyncio.get_running_loop().time() + self._seconds
        try:
            if self._slots is None and not self._must_learn:
                answers, leads = await self._node(self._first).send(written, scripts=scripts)
            else:
                async with asyncio.timeout_at(until):  # for the map, connections and answers together
                    answers, leads = await self._to_owners(commands, written, scripts=scripts)
            if any(map(_is_redirected, answers)):
                async with asyncio.timeout_at(until):
                    answers = await self._followed(commands, written, answers)
        except Unsent as error:
            raise error.reason from error
        shaped = [  # as the SDK gives REST's answers
            each if isinstance(each, UpstashError) else cast_response(cast("list[str]", command), each, None)
            for command, each in zip(commands, answers, strict=True)
        ]
        return shaped, leads

    async def close(self) -> None:
        """Give up running requests and close connections."""
        for node in self._nodes.values():
            await node.close()

    def _node(self, place: Place) -> RespNode:
        if place not in self._nodes:
            self._nodes[place] = RespNode(partial(self._connected, place), self._leave, self._bounds)
        node = self._nodes[place]
        in_cluster = self._slots is not None or self._must_learn
        node.connect_seconds = self._seconds * (_SHARE if in_cluster else 1)
        return node

    async def _connected(self, place: Place) -> AbstractConnection:
        if issubclass(self._pool.connection_class, UnixDomainSocketConnection):
            return await _opened(self._pool.connection_class(**self._pool.connection_kwargs))
        return await self._dialer.dial(*place, lambda address: _opened(self._connection(place, address)), _drop)

    def _connection(self, place: Place, address: str) -> AbstractConnection:
        kind, known = self._pool.connection_class, {**self._pool.connection_kwargs, "host": address, "port": place[1]}
        if not issubclass(kind, SSLConnection):
            return kind(**known)
        made = _NamedTls(**known)
        made.server_name = place[0]
        if not self._own_tls:
            made.ssl_context.context = tls_context()  # otherwise each would read the CA certificates anew
        return made

    def _leave(self, connection: AbstractConnection) -> None:
        if isinstance(connection, Connection):
            self._dialer.blame(connection.host, connection.port)

    async def _to_owners(self, commands: Sequence[Command], written: list[bytes], *, scripts: bool) -> Answered:
        """Send each command to its owner; what could not be sent goes to the owner in a new map, if that is another."""
        answers: list[Any] = [None] * len(commands)
        leads = False
        unsent = list(range(len(commands)))
        tried: dict[Place, Unsent] = {}
        while unsent:
            slots = await self._map()
            by_owner: dict[Place, list[int]] = {}
            for position in unsent:
                owner = slots.owner(next(iter(keys_of(commands[position])), None))
                if owner in tried:
                    raise tried[owner]
                by_owner.setdefault(owner, []).append(position)
            unsent = []
            for owner, result in (await self._asked(by_owner, written, scripts=scripts)).items():
                if isinstance(result, Unsent):
                    tried[owner] = result
                    unsent += by_owner[owner]
                    continue
                leads = leads or result[1]
                for position, answer in zip(by_owner[owner], result[0], strict=True):
                    answers[position] = answer
        return answers, leads

    async def _asked(
        self, by_owner: dict[Place, list[int]], written: list[bytes], *, scripts: bool
    ) -> dict[Place, Answered | Unsent]:
        """Send to several servers at once. Raises OSError, UpstashError: of a server whose commands may have run."""
        sending = [
            self._node(owner).send([written[position] for position in positions], scripts=scripts)
            for owner, positions in by_owner.items()
        ]
        found: list[Answered | BaseException] = []
        try:
            found = await asyncio.gather(*sending, return_exceptions=True)
        finally:
            # An owner that fails may have a successor; without answers the time is over.
            if not found or any(isinstance(result, OSError | Unsent) for result in found):
                self._must_learn = True
        results: dict[Place, Answered | Unsent] = {}
        for owner, result in zip(by_owner, found, strict=True):
            if isinstance(result, BaseException) and not isinstance(result, Unsent):
                raise result
            results[owner] = result
        return results

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
        """Return the cluster's map, read anew once an answer has shown that it has changed.

        Where no server sends it in time, the last one counts: a healthy owner still answers.
        """
        async with self._learning:
            if self._slots is None or self._must_learn:
                self._must_learn = False
                try:
                    async with asyncio.timeout(self._seconds * _SHARE):
                        self._slots = await self._learned()
                except BaseException as error:
                    self._must_learn = True
                    if self._slots is None or not isinstance(error, OSError | UpstashError):
                        raise
            return self._slots

    async def _learned(self) -> SlotMap:
        """Read the map from the first server that has it; those that failed lately are asked last.

        Raises OSError, UpstashError: none has it.
        """
        known = self._slots.servers if self._slots is not None else ()
        places = sorted(dict.fromkeys((self._first, *known)), key=lambda place: self._node(place).failed_at)
        _, slots = await first_of([partial(self._slots_of, place) for place in places], lambda _: None)
        return slots

    async def _slots_of(self, place: Place) -> SlotMap:
        try:
            (answer,), _ = await self._node(place).send([_LIST_SLOTS], scripts=False)
        except Unsent as error:
            raise error.reason from error
        if isinstance(answer, UpstashError):
            raise answer
        if not answer:
            raise ConnectionError("the server knows of no slots")
        return SlotMap(answer, place)


async def _opened(connection: AbstractConnection) -> AbstractConnection:
    try:
        await connection.connect_check_health()
    except BaseException:
        await connection.disconnect(nowait=True)
        raise
    return connection


def _drop(connection: AbstractConnection) -> None:
    """Close a connection that lost the race; nothing was written to it but the login."""
    task = asyncio.get_running_loop().create_task(connection.disconnect(nowait=True))
    _DROPPED.add(task)
    task.add_done_callback(_DROPPED.discard)


_DROPPED: set[asyncio.Task[None]] = set()  # the event loop keeps no reference to a task


def _is_redirected(answer: Any) -> bool:
    return isinstance(answer, UpstashError) and str(answer).startswith(_REDIRECTED)
