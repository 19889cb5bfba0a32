"""What the relay of a store that is far away does to bytes: all come, in order, each after its time."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.peers.peer import LOOPBACK, free_port, wait_for_port

ROOT = Path(__file__).parents[2]
ROUND_TRIP_MS = 40


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The two ends of a connection by way of a relay."""
    port, relay = free_port(), free_port()
    command = [sys.executable, "-m", "tests.bench.peers.relay", str(relay), str(port), str(ROUND_TRIP_MS)]
    with subprocess.Popen(command, cwd=ROOT) as process:
        try:
            with socket.create_server((LOOPBACK, port)) as listening:
                wait_for_port(relay)
                listening.accept()[0].close()  # that look at the port was a caller, too
                near = socket.create_connection((LOOPBACK, relay), 10)
                far, _ = listening.accept()
                far.settimeout(10)
                with near, far:
                    yield near, far
        finally:
            process.kill()


def test_bytes_come_whole_and_half_a_round_trip_late(ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    for source, sink in ((near, far), (far, near)):
        sent, began = bytes(range(256)) * 4_000, time.monotonic()
        source.sendall(sent)
        taken, first = bytearray(), 0.0
        while len(taken) < len(sent) and (piece := sink.recv(65_536)):
            taken += piece
            first = first or time.monotonic()
        assert taken == sent
        assert first - began >= ROUND_TRIP_MS / 2_000


def test_the_end_of_one_side_reaches_the_other_and_answers_still_come(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    near, far = ends
    near.shutdown(socket.SHUT_WR)
    assert far.recv(1) == b""
    far.sendall(b"late")
    assert near.recv(4) == b"late"
