"""A store that is far away: passes bytes on between two ports, each piece half a round trip late.

python -m tests.bench.peers.relay PORT TARGET_PORT ROUND_TRIP_MS

Threads rather than a loop: a loop's timers are whole milliseconds, more than half of the shortest round trip.
"""

import contextlib
import socket
import sys
import time
from queue import SimpleQueue
from threading import Thread

from tests.bench.peers.peer import LOOPBACK

PIECE_BYTES = 65_536


def serve(port: int, target_port: int, one_way_seconds: float) -> None:
    """Take callers for ever."""
    with socket.create_server((LOOPBACK, port)) as listening:
        while True:
            caller, _ = listening.accept()
            try:
                target = socket.create_connection((LOOPBACK, target_port))
            except ConnectionError:
                caller.close()
                continue
            for source, sink in ((caller, target), (target, caller)):
                sink.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                _pass_on(source, sink, one_way_seconds)


def _pass_on(source: socket.socket, sink: socket.socket, one_way_seconds: float) -> None:
    """Start what reads one side and what writes the other; both end with the side's last bytes."""
    pieces: SimpleQueue[tuple[float, bytes]] = SimpleQueue()

    def read() -> None:
        piece = b" "
        while piece:
            try:
                piece = source.recv(PIECE_BYTES)
            except OSError:
                piece = b""
            pieces.put((time.monotonic() + one_way_seconds, piece))

    def write() -> None:
        with contextlib.suppress(OSError):  # the other side is gone
            while True:
                due, piece = pieces.get()
                time.sleep(max(0.0, due - time.monotonic()))
                if not piece:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(piece)

    for work in (read, write):
        Thread(target=work, daemon=True).start()


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]) / 2_000)
