"""What one small script costs through the local Redis bridge: requests per second, CPU per request.

Run: `python -m tests.bench.redis_bridge [--seconds 2] [--asgi]`. Not a test: it prints, and nothing fails.
The client is raw HTTP over plain sockets, one request in flight per connection, so that it costs little itself.
`--asgi` measures a constant answer of a bare ASGI app under uvicorn in the same way: what a framework would cost before
the first byte has gone to Redis.
"""

import argparse
import asyncio
import base64
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import uvloop

from tests.contract.redis_rest.local_redis import TOKEN, LocalRedis

SCRIPT = "#!lua flags=allow-key-locking\nreturn {redis.call('INCR', KEYS[1]), ARGV[1]}"
IN_FLIGHT = (1, 16, 64)
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Target:
    name: str
    port: int
    request: bytes
    pids: dict[str, int]


class Client(asyncio.Protocol):
    """Sends its request again whenever the answer has come."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._received = b""
        self.count = 0
        self.stopped = asyncio.get_running_loop().create_future()
        self.stopping = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one without inheriting
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found or len(body) < int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]):
            return
        assert head.startswith(b"HTTP/1.1 200"), self._received
        self._received = b""
        self.count += 1
        if self.stopping:
            self._transport.close()
            self.stopped.set_result(None)
        else:
            self._transport.write(self._request)


def http_request(body: list[str], headers: dict[str, str]) -> bytes:
    content = json.dumps(body).encode()
    lines = [f"{name}: {value}" for name, value in {**headers, "Content-Length": str(len(content))}.items()]
    return "\r\n".join(["POST / HTTP/1.1", *lines, "", ""]).encode() + content


def sdk_request(url: str) -> bytes:
    """One EVALSHA with the headers of the official SDK."""
    headers = {
        "Host": url.partition("//")[2],
        "Accept": "*/*",
        "Accept-Encoding": "gzip, deflate",
        "Connection": "keep-alive",
        "User-Agent": "python-httpx/0.28.1",
        "Authorization": f"Bearer {TOKEN}",
        "Upstash-Encoding": "base64",
        "Upstash-Telemetry-Sdk": "py-upstash-redis@v1.8.0",
        "Upstash-Telemetry-Runtime": "python@v3.11",
        "Upstash-Telemetry-Platform": "unknown",
        "Upstash-Sync-Token": "0123456789",
        "Content-Type": "application/json",
    }
    sha = hashlib.sha1(SCRIPT.encode()).hexdigest()
    return http_request(["EVALSHA", sha, "1", "{job}:n", base64.b64encode(b"x" * 150).decode()], headers)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


async def measure(target: Target, in_flight: int, seconds: float) -> str:
    loop = asyncio.get_running_loop()
    clients = []
    for _ in range(in_flight):
        _, client = await loop.create_connection(lambda: Client(target.request), "127.0.0.1", target.port)
        clients.append(client)
    await asyncio.sleep(0.2)
    used = {name: cpu_seconds(pid) for name, pid in target.pids.items()}
    began, before = time.perf_counter(), sum(client.count for client in clients)
    await asyncio.sleep(seconds)
    count, elapsed = sum(client.count for client in clients) - before, time.perf_counter() - began
    used = {name: cpu_seconds(pid) - used[name] for name, pid in target.pids.items()}
    for client in clients:
        client.stopping = True
    await asyncio.gather(*[client.stopped for client in clients])
    costs = "  ".join(f"{name} {1e6 * cpu / count:5.1f} µs/request" for name, cpu in used.items())
    return f"{target.name:<12} {in_flight:>3} in flight  {count / elapsed:>8.0f} requests/s  CPU: {costs}"


@contextmanager
def bridge(folder: str) -> Iterator[Target]:
    with LocalRedis(Path(folder) / "data") as redis:
        redis.command("SCRIPT", "LOAD", SCRIPT)
        pids = {"bridge": redis.process.pid, "valkey": redis.server_pid()}
        yield Target("bridge", int(redis.url.rpartition(":")[2]), sdk_request(redis.url), pids)


_ASGI = """
import asyncio, sys, uvicorn
async def app(scope, receive, send):
    while (await receive()).get("more_body"): pass
    body = b'{"result":[1,"eA=="]}'
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
options = dict(log_level="error", access_log=False, lifespan="off", loop="uvloop", http="httptools")
uvicorn.run(app, port=int(sys.argv[1]), **options)
"""


@contextmanager
def bare_asgi(port: int) -> Iterator[Target]:
    with subprocess.Popen([sys.executable, "-c", _ASGI, str(port)]) as process:
        time.sleep(1.5)
        yield Target("bare ASGI", port, sdk_request(f"http://127.0.0.1:{port}"), {"uvicorn": process.pid})
        process.terminate()


async def run(target: Target, seconds: float) -> None:
    for in_flight in IN_FLIGHT:
        print(await measure(target, in_flight, seconds), flush=True)  # noqa: T201 - printing is its purpose


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=2.0, help="per measurement")
    parser.add_argument("--asgi", action="store_true", help="measure a bare ASGI app as well")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, bridge(folder) as target:
        uvloop.run(run(target, options.seconds))
    if options.asgi:
        with bare_asgi(18_079) as target:
            uvloop.run(run(target, options.seconds))


if __name__ == "__main__":
    main()
