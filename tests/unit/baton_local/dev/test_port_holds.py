import contextlib
import socket
import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import pytest

from baton_local.dev.part import Part, http_is_ready, start_process, until_dead
from baton_local.dev.ports import PortHolds, choose_ports

STAND_IN = Path(__file__).with_name("stand_in_server.py")


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
