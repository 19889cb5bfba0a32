import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path

import pytest

from baton_local.dev.part import Part, http_is_ready, redis_socket_is_ready, start_process, until_dead
from baton_local.dev.ports import (
    FREE_RANGE,
    ChosenPorts,
    PortHolds,
    any_free_port,
    choose_ports,
    port_is_free,
    read_remembered_ports,
    remember_ports,
)
from baton_local.dev.stack_error import StackError

STAND_IN = Path(__file__).with_name("stand_in_server.py")
USUAL = {"app": 8090, "qstash": 8080, "redis_rest": 8079, "vector": 8078}


def all_but(*taken: int) -> Callable[[int], bool]:
    return lambda port: port not in taken


def lowest_from_30000(used: frozenset[int]) -> int:
    return next(port for port in range(30_000, 30_010) if port not in used)


def choose(remembered: dict[str, int], wanted: int | None, *taken: int) -> ChosenPorts:
    return choose_ports(remembered, wanted, all_but(*taken), lowest_from_30000)


def test_the_usual_ports_are_taken_when_free() -> None:
    assert choose({}, None) == ChosenPorts(USUAL)
    chosen = choose({}, None, 8090, 8079)
    assert chosen.ports == {"app": 30_000, "qstash": 8080, "redis_rest": 30_001, "vector": 8078}
    assert chosen.remarks == ("port 8090 is taken, so app uses 30000", "port 8079 is taken, so redis_rest uses 30001")
    ports = choose({}, 8080).ports  # no two parts get the same port
    assert len(set(ports.values())) == len(ports)


def test_zero_means_any_free_ports_without_remarks() -> None:
    assert choose({}, 0) == ChosenPorts({"app": 30_000, "qstash": 30_001, "redis_rest": 30_002, "vector": 30_003})


def test_the_ports_of_the_last_run_come_first() -> None:
    remembered = {"app": 25_000, "qstash": 25_001, "redis_rest": 25_002, "vector": 25_003}
    assert choose(remembered, None) == ChosenPorts(remembered)
    assert choose(remembered, 0) == ChosenPorts(remembered)


def test_the_app_never_leaves_its_old_port_silently() -> None:
    """Waiting messages would go to whoever listens there; the person decides. The other parts may move."""
    with pytest.raises(StackError, match=r"port 25000 is taken, and jobs that wait .* --port N"):
        choose({"app": 25_000}, None, 25_000)
    moved = choose({"app": 25_000}, 9000)
    assert moved.ports["app"] == 9000
    assert "was on port 25000 before" in moved.remarks[0]
    chosen = choose({"app": 25_000, "qstash": 25_001}, None, 25_001)
    assert chosen.ports == {"app": 25_000, "qstash": 8080, "redis_rest": 8079, "vector": 8078}


def test_a_requested_port_is_had_or_refused() -> None:
    """`--port N` is not a suggestion."""
    assert choose({}, 9000).ports["app"] == 9000
    with pytest.raises(StackError, match="port 9000 is taken"):
        choose({}, 9000, 9000)


def test_other_parts_have_the_ports_that_are_asked_for() -> None:
    chosen = choose_ports({"vector": 25_003}, None, all_but(7000), lowest_from_30000, {"vector": 9001})
    assert chosen.ports == {**USUAL, "vector": 9001}
    with pytest.raises(StackError, match="port 7000 is taken"):
        choose_ports({}, None, all_but(7000), lowest_from_30000, {"qstash": 7000})
    any_one = choose_ports({}, None, all_but(), lowest_from_30000, {"qstash": 0})
    assert (any_one.ports, any_one.remarks) == ({**USUAL, "qstash": 30_000}, ())


@pytest.mark.parametrize("text", ["", "[]", '{"app": "x", "qstash": 0, "redis_rest": 70000}'])
def test_an_unreadable_note_counts_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "ports.json").write_text(text)
    assert read_remembered_ports(tmp_path) == {}
    remember_ports(tmp_path, USUAL)
    assert read_remembered_ports(tmp_path) == USUAL


def test_a_free_port_is_outside_the_kernels_own_range() -> None:
    port = any_free_port(frozenset())
    assert port in FREE_RANGE
    with socket.create_server(("127.0.0.1", port)):
        assert not port_is_free(port)
    assert port_is_free(port)


def test_two_stacks_that_start_in_the_same_second_choose_different_ports() -> None:
    with contextlib.closing(PortHolds()) as first, contextlib.closing(PortHolds()) as second:
        one = choose_ports({}, 0, first.take, first.take_any)
        two = choose_ports({}, 0, second.take, second.take_any)
        assert not set(one.ports.values()) & set(two.ports.values())
        assert not second.take(one.ports["vector"])


@pytest.mark.parametrize("keeps", [True, False])
async def test_callers_of_a_part_that_is_not_there_yet(*, keeps: bool) -> None:
    """What is delivered while the app starts again is answered; who called a stand-in meanwhile has not been heard."""
    with contextlib.closing(PortHolds()) as holds:
        port = holds.take_any(frozenset())
        listener = holds.listeners_of({"app": port})["app"]
        ready = partial(http_is_ready, "127.0.0.1", port, "/")
        command = (sys.executable, "-S", str(STAND_IN), str(port))
        part = Part("app", command, {}, ready, listener=listener, keeps_callers=keeps)
        with socket.create_connection(("127.0.0.1", port)) as caller:
            caller.sendall(b"GET / HTTP/1.0\r\n\r\n")
            process = start_process(part, 2)
            with nullcontext() if keeps else pytest.raises(ConnectionResetError):
                assert caller.recv(12) == b"HTTP/1.0 200"
            process.terminate()
            await until_dead(process)
    with contextlib.closing(PortHolds()) as later:
        assert later.take(port)


@asynccontextmanager
async def answering(answer: bytes, socket_path: Path | None = None) -> AsyncIterator[int]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024)
        writer.write(answer)
        await writer.drain()
        writer.close()

    if socket_path is not None:
        server = await asyncio.start_unix_server(handle, socket_path)
        port = 0
    else:
        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
    async with server:
        yield port


@pytest.mark.parametrize(
    ("answer", "proof", "ready"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", "", True),
        (b"HTTP/1.1 503 Busy\r\n\r\n", "", False),
        (b"nonsense", "", False),
        (b"", "", False),
        (b"HTTP/1.1 200 OK\r\n\r\nours", "ours", True),
        (b"HTTP/1.1 200 OK\r\n\r\ntheirs", "ours", False),
        (b"HTTP/1.1 200 OK\r\n\r\n", "ours", False),
    ],
)
async def test_only_a_200_of_who_knows_the_proof_counts_as_ready(answer: bytes, proof: str, ready: bool) -> None:
    """A server of another stack, on the port that ours was to have, is not taken for ours."""
    async with answering(answer) as port:
        assert await http_is_ready("127.0.0.1", port, "/readyz", proof) is ready


@pytest.mark.parametrize(("answer", "ready"), [(b"+PONG\r\n", True), (b"-LOADING data\r\n", False)])
async def test_redis_is_ready_when_it_answers_commands(tmp_path: Path, answer: bytes, ready: bool) -> None:
    async with answering(answer, tmp_path / "s"):
        assert await redis_socket_is_ready(str(tmp_path / "s")) is ready


async def test_nobody_there_is_not_ready(tmp_path: Path) -> None:
    assert not await http_is_ready("127.0.0.1", any_free_port(frozenset()), "/")
    assert not await redis_socket_is_ready(str(tmp_path / "none"))
