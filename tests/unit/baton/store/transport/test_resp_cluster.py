"""A cluster over RESP: commands go to the owners of their keys, and are sent again only where they were not done."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot

from baton.settings.settings import Settings
from baton.store.redis.connection import RedisConnection, counted
from baton.store.transport.redis_resp import SlotMap, keys_of, redirection, slot_of
from baton_events.errors import StoreAnswerError, StoreError
from baton_local.redis.resp import Reply, ServerError
from tests.unit.baton.store.transport.resp_server import Hangs, HangsUp, RespServer

LAST_SLOT, HALF = 16_383, 8_192
# The slots of these: 15495, 3300, 7365.
HIGH, LOW, LOWER = "a", "b", "c"
TEXT = counted("return ARGV[1]")


class Cluster:
    """Two servers that share the slots; `owners`: of the low and of the high ones. `hung`: those without any answer."""

    def __init__(self) -> None:
        self.servers = [RespServer(lambda command: self._print(0, command)), RespServer(lambda c: self._print(1, c))]
        self.owners = [0, 1]
        self.requesting: set[str] = set()
        self.down: set[int] = set()
        self.hung: set[int] = set()
        self.replicas: tuple[int, ...] = ()

    def owner(self, key: str) -> int:
        return self.owners[slot_of(key) // HALF]

    def slots(self) -> Reply:
        names = [b"", b"127.0.0.1"]
        found: list[Reply] = []
        for half, owner in enumerate(self.owners):
            servers: list[Reply] = [[names[each], self.servers[each].port, b"id"] for each in (owner, *self.replicas)]
            found.append([half * HALF, (half + 1) * HALF - 1, *servers])
        return found

    def _print(self, number: int, command: list[str]) -> Any:
        if number in self.down | self.hung:
            return HangsUp() if number in self.down else Hangs()
        if command == ["CLUSTER", "SLOTS"]:
            return self.slots()
        if command == ["ASKING"]:
            return b"OK"
        for key in keys_of(command):
            if (key in self.requesting) != (self._requested_before(number, key)):
                return ServerError(f"ASK {slot_of(key)} 127.0.0.1:{self.servers[1 - number].port}".encode())
            if self.owner(key) != number and key not in self.requesting:
                return ServerError(f"MOVED {slot_of(key)} 127.0.0.1:{self.servers[1 - number].port}".encode())
        return [1, command[-1].encode()] if command[0].startswith("EVAL") else f"{number}".encode()

    def _requested_before(self, number: int, key: str) -> bool:
        return key in self.requesting and self.servers[number].requested[-2:-1] == [["ASKING"]]


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    made = Cluster()
    async with AsyncExitStack() as stack:
        for server in made.servers:
            await stack.enter_async_context(server)
        yield made


@pytest.fixture(params=["", "?cluster=true"])
async def redis(cluster: Cluster, request: pytest.FixtureRequest) -> AsyncIterator[RedisConnection]:
    made = RedisConnection(Settings(resp_url=cluster.servers[0].address + request.param))
    yield made
    await made.close()


def gets(server: RespServer) -> list[str]:
    return [command[1] for command in server.requested if command[0] == "GET"]


async def test_a_slot_that_moved_is_followed_and_remembered(cluster: Cluster, redis: RedisConnection) -> None:
    """What was redirected was not done: it is sent again, once."""
    assert await redis.execute("GET", HIGH) == "1"
    cluster.owners = [0, 0]
    for server in cluster.servers:
        server.requested.clear()
    assert [await redis.execute("GET", HIGH) for _ in range(3)] == ["0", "0", "0"]
    assert gets(cluster.servers[1]) == [HIGH]
    assert gets(cluster.servers[0]) == [HIGH] * 3


async def test_a_slot_that_is_just_moving_is_requested_once(cluster: Cluster, redis: RedisConnection) -> None:
    """With ASKING before it, on the same connection; the map stays."""
    assert await redis.execute("GET", LOW) == "0"
    cluster.requesting.add(LOW)
    assert await redis.execute("GET", LOW) == "1"
    assert cluster.servers[1].requested[-2:] == [["ASKING"], ["GET", LOW]]


async def test_servers_that_send_back_and_forth_are_reported(cluster: Cluster, redis: RedisConnection) -> None:
    cluster.servers[1].reply = lambda _: ServerError(
        f"MOVED {slot_of(HIGH)} 127.0.0.1:{cluster.servers[0].port}".encode()
    )
    cluster.servers[0].reply = lambda command: (
        cluster.slots()
        if command[0] == "CLUSTER"
        else ServerError(f"MOVED {slot_of(HIGH)} 127.0.0.1:{cluster.servers[1].port}".encode())
    )
    with pytest.raises(StoreAnswerError, match="MOVED"):
        await redis.execute("GET", HIGH)
    assert sum(len(gets(server)) for server in cluster.servers) == 2


async def test_an_answer_that_one_server_lost_is_unknown(cluster: Cluster, redis: RedisConnection) -> None:
    """It is not asked again; then the map is read anew, and who took its place answers."""
    assert await redis.pipeline(["GET", HIGH], ["GET", LOW]) == ["1", "0"]
    cluster.down.add(1)
    before = len(gets(cluster.servers[1]))
    with pytest.raises(StoreError) as caught:
        await redis.pipeline(["GET", HIGH], ["GET", LOW])
    assert not isinstance(caught.value, StoreAnswerError)
    assert len(gets(cluster.servers[1])) == before + 1
    cluster.owners = [0, 0]
    assert await redis.pipeline(["GET", HIGH], ["GET", LOW]) == ["0", "0"]


async def test_the_map_is_read_from_another_server_when_the_first_is_gone(
    cluster: Cluster, redis: RedisConnection
) -> None:
    """The one of the setting may be the one that failed."""
    assert await redis.pipeline(["GET", HIGH], ["GET", LOW]) == ["1", "0"]
    cluster.down.add(0)
    cluster.owners = [1, 1]
    with pytest.raises(StoreError):
        await redis.execute("GET", LOW)
    assert await asyncio.gather(*(redis.execute("GET", key) for key in (LOW, HIGH))) == ["1", "1"]


async def test_a_server_that_is_no_cluster_is_reported_where_one_is_configured() -> None:
    async with RespServer(lambda _: ServerError(b"ERR This instance has cluster support disabled")) as server:
        redis = RedisConnection(Settings(resp_url=f"{server.address}?cluster=true"))
        with pytest.raises(StoreAnswerError, match="cluster support disabled"):
            await redis.execute("PING")
        await redis.close()


@given(st.text("a{}é:", max_size=8))
def test_the_slot_of_a_key_is_the_librarys(key: str) -> None:
    assert slot_of(key) == key_slot(key.encode())


@pytest.mark.parametrize(
    ("command", "keys"),
    [
        (["PING"], ()),
        (["EVAL", "text", 2, "a", "b", "c"], ("a", "b")),
        (["EVALSHA", "sha", 0], ()),
        (["HGET", "a", "b"], ("a",)),
        (["EXISTS", "a", "b"], ("a", "b")),
        (["XGROUP", "CREATE", "a", "group"], ("a",)),
        (["XREADGROUP", "GROUP", "g", "c", "COUNT", 1, "STREAMS", "a", "b", ">", ">"], ("a", "b")),
    ],
)
def test_the_keys_of_a_command(command: list[str | int], keys: tuple[str, ...]) -> None:
    assert keys_of(command) == keys


def test_a_map_knows_the_owner_of_each_slot() -> None:
    """Whatever nobody owns goes to somebody, who will say so."""
    requested = ("seed", 1)
    found = [[0, 99, ["x", 7, "id"], ["replica", 8, "id"]], [200, LAST_SLOT, [None, 9, "id"]]]
    slots = SlotMap(found, requested)
    assert slots.places == (("x", 7), ("seed", 9))
    assert slots.owner("{a}") == slots.owner("a") == ("seed", 9)
    assert slots.owner(None) == ("x", 7)
    unowned = next(key for key in map(str, range(100_000)) if 99 < slot_of(key) < 200)
    assert slots.owner(unowned) == ("x", 7)


@pytest.mark.parametrize(
    ("shown", "place"),
    [
        ("MOVED 1 10.0.0.7:6379", ("10.0.0.7", 6379)),
        ("ASK 1 a.b.example.com:6380", ("a.b.example.com", 6380)),
        ("MOVED 1 :6380", ("seed", 6380)),
        ("MOVED 1 ::1:6380", ("::1", 6380)),
    ],
)
def test_a_redirection_names_a_place(shown: str, place: tuple[str, int]) -> None:
    """Or only a port: then it is where we are."""
    assert redirection(shown, ("seed", 1)) == place


async def test_commands_and_scripts_go_to_the_owners_of_their_keys(cluster: Cluster, redis: RedisConnection) -> None:
    """Answers are in the order of what was asked; once the map is known nobody redirects."""
    requested = [["GET", key] for key in (HIGH, LOW, HIGH, LOWER)]
    for _ in range(3):
        assert await redis.pipeline(*requested) == ["1", "0", "1", "0"]
    first, second = cluster.servers
    redirected = gets(first).count(HIGH)
    assert redirected in (0, 2)  # by who was not told that it is a cluster, once
    assert [key for key in gets(first) if key != HIGH] == [LOW, LOWER] * 3
    assert gets(second) == [HIGH] * 6
    assert [await redis.run(TEXT, [key], [f"{key}!"]) for key in (HIGH, LOW, HIGH)] == ["a!", "b!", "a!"]
