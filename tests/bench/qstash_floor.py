"""The smallest hop with the durable work of the local QStash: what tests/bench/qstash_hop.py measures it against.

    python -m tests.bench.qstash_floor --data FOLDER [--no-sync]

`POST /v2/publish/URL` is one row on disk before it is answered; then it is sent by a signed POST over a kept
connection, and a 2xx is marked in that row. The disk is used as ours is: SQLite with a write-ahead log, one commit for
all that came while the last one was under way, and a moment's patience for outcomes that nobody waits for. Nothing
else: no checks, events, retries, users or limits, and no use of the server's code.
"""

import argparse
import asyncio
import hmac
import json
import sqlite3
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from functools import lru_cache, partial
from hashlib import sha256
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import cast
from urllib.parse import urlsplit

import httptools
import uvloop

_KEY = b"sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r"
_PREFIX = b"/v2/publish/"
_PATIENCE_SECONDS = 0.003
_LIFETIME_SECONDS = 300


class Disk:
    """Rows and group commit; `then` of a row is called when the row is on disk."""

    def __init__(self, path: Path, *, synced: bool) -> None:
        self._rows = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        synchronous = f"synchronous={'FULL' if synced else 'NORMAL'}"
        for setting in ("journal_mode=WAL", synchronous, "wal_autocheckpoint=4000", "cache_size=-32000"):
            self._rows.execute(f"PRAGMA {setting}")
        self._rows.execute("CREATE TABLE messages(seq INTEGER PRIMARY KEY, url TEXT, body BLOB, delivered_at REAL)")
        self._synced = synced
        self._loop = asyncio.get_running_loop()
        self._written: SimpleQueue[list[Callable[[], None]]] = SimpleQueue()
        Thread(target=self._wait_for_disk, daemon=True).start()
        self._new: list[tuple[int, str, bytes]] = []
        self._delivered: list[tuple[float, int]] = []
        self._then: list[Callable[[], None]] = []
        self._busy = False
        self._patience: asyncio.TimerHandle | None = None

    def insert(self, seq: int, url: str, body: bytes, then: Callable[[], None]) -> None:
        """A new message."""
        self._new.append((seq, url, body))
        self._then.append(then)
        self._ask_flush()

    def mark_delivered(self, seq: int) -> None:
        """The end of a message."""
        self._delivered.append((time.monotonic(), seq))
        if not self._busy and self._patience is None:
            self._patience = self._loop.call_later(_PATIENCE_SECONDS, self._ask_flush)

    def _ask_flush(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        if not self._busy:
            self._busy = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        then, self._then = self._then, []
        self._rows.execute("BEGIN IMMEDIATE")
        self._rows.executemany("INSERT INTO messages VALUES(?,?,?,NULL)", self._new)
        self._rows.executemany("UPDATE messages SET delivered_at=? WHERE seq=?", self._delivered)
        self._new, self._delivered = [], []
        if self._synced:
            self._written.put(then)
        else:
            self._rows.execute("COMMIT")
            self._committed(then)

    def _wait_for_disk(self) -> None:
        while True:
            then = self._written.get()
            self._rows.execute("COMMIT")
            self._loop.call_soon_threadsafe(self._committed, then)

    def _committed(self, then: list[Callable[[], None]]) -> None:
        self._busy = bool(self._new or self._delivered)
        if self._busy:
            self._flush()
        for call in then:
            call()


def _base64url(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


_dump = json.JSONEncoder(separators=(",", ":")).encode
_JWT_HEADER = _base64url(b'{"alg":"HS256","typ":"JWT"}')


def sign(url: str, body: bytes, seq: int) -> bytes:
    """The token that says who sent this body where (docs/spec/qstash.md 9)."""
    now = int(time.time())  # noqa: TID251 - a program of its own; receivers compare it with real time
    claims = {"iss": "Upstash", "sub": url, "exp": now + _LIFETIME_SECONDS, "nbf": now, "iat": now, "jti": f"jwt_{seq}"}
    claims["body"] = urlsafe_b64encode(sha256(body).digest()).decode()
    signed = _JWT_HEADER + b"." + _base64url(_dump(claims).encode())
    return signed + b"." + _base64url(hmac.digest(_KEY, signed, "sha256"))


@lru_cache(maxsize=1_024)
def _target(url: str) -> tuple[str, int, bytes]:
    """Host, port, and the head of the request up to what differs each time."""
    parts = urlsplit(url)
    head = f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
    return parts.hostname or "", parts.port or 80, head.encode()


class Outgoing(asyncio.Protocol):
    """One kept connection to a destination; one delivery at a time."""

    def __init__(self, on_status: Callable[["Outgoing", int], None]) -> None:
        self._on_status = on_status
        self._parser = httptools.HttpResponseParser(self)
        self.seq = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready to send."""
        self._transport = cast("asyncio.Transport", transport)

    def send(self, seq: int, request: bytes) -> None:
        """Deliver one message."""
        self.seq = seq
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """A part of an answer."""
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """An answer is there."""
        self._on_status(self, self._parser.get_status_code())


class Deliveries:
    """Sends messages over free connections, of which there are as many as were ever needed at once."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._free: dict[tuple[str, int], list[Outgoing]] = {}
        self._connecting: set[asyncio.Task[None]] = set()

    def start(self, seq: int, url: str, body: bytes) -> None:
        """Sign and send."""
        host, port, head = _target(url)
        request = b"%sUpstash-Message-Id: msg_%08x\r\nUpstash-Signature: %s\r\nContent-Length: %d\r\n\r\n%s" % (
            head,
            seq,
            sign(url, body, seq),
            len(body),
            body,
        )
        free = self._free.setdefault((host, port), [])
        if free:
            free.pop().send(seq, request)
        else:
            task = asyncio.get_running_loop().create_task(self._connect(host, port, seq, request))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    async def _connect(self, host: str, port: int, seq: int, request: bytes) -> None:
        ended = partial(self._ended, self._free[host, port])
        _, connection = await asyncio.get_running_loop().create_connection(lambda: Outgoing(ended), host, port)
        connection.send(seq, request)

    def _ended(self, free: list[Outgoing], connection: Outgoing, status: int) -> None:
        if status // 100 == 2:
            self._disk.mark_delivered(connection.seq)
        free.append(connection)


class Incoming(asyncio.Protocol):
    """One connection of a publisher."""

    last_seq = 0

    def __init__(self, disk: Disk, deliveries: Deliveries) -> None:
        self._disk = disk
        self._deliveries = deliveries
        self._parser = httptools.HttpRequestParser(self)
        self._url, self._body = b"", b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """A part of a publish."""
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        """Where to deliver."""
        self._url += url

    def on_body(self, body: bytes) -> None:
        """What to deliver."""
        self._body += body

    def on_message_complete(self) -> None:
        """A whole publish: on disk first, then the answer and the delivery."""
        Incoming.last_seq += 1
        seq, url, body = Incoming.last_seq, self._url.removeprefix(_PREFIX).decode(), self._body
        self._url, self._body = b"", b""
        self._disk.insert(seq, url, body, lambda: self._stored(seq, url, body))

    def _stored(self, seq: int, url: str, body: bytes) -> None:
        answer = b'{"messageId":"msg_%08x"}' % seq
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(answer)
        self._transport.write(head + answer)
        self._deliveries.start(seq, url, body)


async def serve(folder: Path, *, synced: bool) -> None:
    """Until the process is ended."""
    disk = Disk(folder / "floor.db", synced=synced)
    deliveries = Deliveries(disk)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Incoming(disk, deliveries), "127.0.0.1", 0)
    sys.stdout.write(f"floor listening on http://127.0.0.1:{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(description="the smallest durable hop")
    parser.add_argument("--data", type=Path, required=True, help="an empty folder")
    parser.add_argument("--no-sync", action="store_true", help="do not wait for the disk")
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(options.data, synced=not options.no_sync))


if __name__ == "__main__":
    main()
