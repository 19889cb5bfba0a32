"""How many messages a second go through the local QStash: publish → deliver → 2xx, at 1, 16 and 64 in flight.

    python tests/bench/qstash_hop.py [--seconds 5] [--no-sync]

Not a test. The server runs as users start it, in a process of its own; publisher and destination share this process,
and speak bare HTTP over kept connections, so that most of what is measured is the server.
"""

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import cast

import uvloop

TOKEN = "eyJVc2VySUQiOiJkZWZhdWx0VXNlciIsIlBhc3N3b3JkIjoiZGVmYXVsdFBhc3N3b3JkIn0="
IN_FLIGHT = (1, 16, 64)
BODY = b'{"id": "evt_1", "type": "agent.loop.init", "payload": "' + b"x" * 300 + b'"}'
_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
_WARM_UP_SECONDS = 0.5
_LIMIT_SECONDS = 20


class Destination(asyncio.Protocol):
    """Answers 200 to whatever comes, and counts; bodies come with their length."""

    delivered = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        self._transport = cast("asyncio.Transport", transport)
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        """Answer each complete request."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            at = head.find(b"content-length: ")
            length = int(head[at + 16 :].split(b"\r", 1)[0]) if at >= 0 else 0
            if len(self._buffer) < end + 4 + length:
                return
            self._buffer = self._buffer[end + 4 + length :]
            self._transport.write(_ANSWER)
            Destination.delivered += 1
            Destination.on_delivery()

    @staticmethod
    def on_delivery() -> None:
        """Replaced by the measurement."""


class Publisher:
    """One kept connection that publishes again and again, once per delivery."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: str) -> None:
        self._reader = reader
        self._writer = writer
        head = (
            f"POST /v2/publish/{target} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {TOKEN}\r\n"
            f"content-type: application/json\r\nupstash-forward-x-event-id: e\r\ncontent-length: {len(BODY)}\r\n\r\n"
        )
        self._request = head.encode() + BODY

    async def publish(self) -> None:
        """Send one message and read the answer."""
        self._writer.write(self._request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r", 1)[0])
        await self._reader.readexactly(length)
        if b" 200 " not in head.split(b"\r\n", 1)[0]:
            raise RuntimeError(head.decode())


async def measure(port: int, target: str, in_flight: int, seconds: float) -> tuple[float, list[float]]:
    """Messages a second, and the time from publish to delivery of each, in milliseconds."""
    waiting: asyncio.Queue[float] = asyncio.Queue()
    slots = asyncio.Semaphore(in_flight)
    latencies: list[float] = []

    def delivered() -> None:
        slots.release()
        latencies.append((time.perf_counter() - waiting.get_nowait()) * 1_000)

    Destination.on_delivery = staticmethod(delivered)  # type: ignore[method-assign]
    end = time.perf_counter() + seconds

    async def run() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        publisher = Publisher(reader, writer, target)
        while time.perf_counter() < end:
            await slots.acquire()
            waiting.put_nowait(time.perf_counter())
            await publisher.publish()
        writer.close()

    started, before = time.perf_counter(), Destination.delivered
    async with asyncio.timeout(seconds + _LIMIT_SECONDS):
        await asyncio.gather(*(run() for _ in range(in_flight)))
        for _ in range(in_flight):
            await slots.acquire()
    return (Destination.delivered - before) / (time.perf_counter() - started), sorted(latencies)


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def run_all(server: "subprocess.Popen[str]", seconds: float) -> None:
    """Print one line per number in flight."""
    assert server.stdout is not None
    port = int(server.stdout.readline().strip().rpartition(":")[2])
    destination = await asyncio.get_running_loop().create_server(Destination, "127.0.0.1", 0)
    target = f"http://127.0.0.1:{destination.sockets[0].getsockname()[1]}/hook"
    _say(f"{'in flight':>9}  {'per second':>10}  {'p50 ms':>7}  {'p99 ms':>7}  {'server CPU µs each':>18}")
    for in_flight in IN_FLIGHT:
        await measure(port, target, in_flight, _WARM_UP_SECONDS)
        used, count = cpu_seconds(server.pid), Destination.delivered
        rate, latencies = await measure(port, target, in_flight, seconds)
        each = (cpu_seconds(server.pid) - used) / (Destination.delivered - count) * 1e6
        p50, p99 = latencies[len(latencies) // 2], latencies[len(latencies) * 99 // 100]
        _say(f"{in_flight:>9}  {rate:>10.0f}  {p50:>7.2f}  {p99:>7.2f}  {each:>18.0f}")
    destination.close()


def main() -> None:
    """Start the server, measure, stop it."""
    parser = argparse.ArgumentParser(description="throughput of the local QStash")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--no-sync", action="store_true", help="do not wait for the disk")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as data:
        command = [sys.executable, "-m", "infra.local_qstash", "--port", "0", "--data", data]
        command += ["--no-sync"] if options.no_sync else []
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    runner.run(run_all(server, options.seconds))
            finally:
                server.send_signal(signal.SIGTERM)


if __name__ == "__main__":
    main()
