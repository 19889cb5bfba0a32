"""One version of the product as somebody runs it: its whole ASGI app over a store, a queue that is played, and a clock.

Invariant: messages are delivered and requests are made over HTTP, as the queue and people do, so that nothing of a
version's inside is needed to finish what another one began.
"""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx

from baton.app import build_app
from baton.container import Container, Ports
from baton.settings.settings import Settings
from tests.fakes.clock import FakeClock
from tests.fakes.schedules import FakeSchedules
from tests.unit.baton.kit.stage import AnySignature
from tests.upgrade.agents import Kit
from tests.upgrade.in_flight import BASE, InFlight, Message

KEYS = {"client": "key-of-acme", "admin": "key-of-admin", "second": "key-of-second", "operations": "key-of-operations"}
MOST_DELIVERIES = 2_000
_YEAR_SECONDS = 365 * 86_400


class Died(BaseException):
    """The process dies here. No Exception: nothing in the product may catch it."""


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asks of the API. `key`: whose it is."""

    method: str
    path: str
    body: dict[str, Any] | None = None
    key: str = "client"


class Tokens:
    """`Randomness` that counts; `prefix`: of this version's, so that two of them never meet."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._count = 0

    def token(self) -> str:
        self._count += 1
        return f"{self._prefix}{self._count:019d}"


def settings_of(continuation: str) -> Settings:
    client, admin, second = (hashlib.sha256(KEYS[who].encode()).hexdigest() for who in ("client", "admin", "second"))
    assert continuation in ("queue", "inline")
    return Settings(
        worker_base_url=BASE,
        qstash_token="token",
        continuation="inline" if continuation == "inline" else "queue",
        max_concurrent_jobs=2,
        stream_batch_ms=0,
        stream_batch_bytes=1,
        operations_stream_seconds=1_800,
        api_keys=f"client:acme:{client}, admin:operators:{admin}, admin:second:{second}",
        operations_api_key=KEYS["operations"],
    )


class Installation:
    """A running version. `ports`: those of its store; the others are the corpus's own."""

    def __init__(self, settings: Settings, ports: Ports, queue: InFlight, clock: FakeClock, prefix: str) -> None:
        self.queue, self.clock, self.kit = queue, clock, Kit()
        played = replace(
            ports,
            queue=queue,
            clock=clock,
            verifier=AnySignature(),
            schedules=FakeSchedules(),
            randomness=Tokens(prefix),
            long_term_memory=None,
            rate_limit=None,
        )
        self.container = Container(settings, played, self.kit.registry())
        self.http: httpx.AsyncClient
        self.deliveries = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Installation"]:
        transport = httpx.ASGITransport(app=build_app(self.container), raise_app_exceptions=True)
        try:
            async with httpx.AsyncClient(transport=transport, base_url=BASE) as self.http:
                yield self
        finally:
            await self.container.close()

    async def request(self, request: Request, *, expected: int | None = None) -> Any:
        """One request of the API; its answer's JSON, of one that is not refused."""
        response = await self._request(request)
        good = response.status_code == expected if expected else response.status_code < 300
        assert good, f"{request.method} {request.path}: {response.status_code} {response.text}"
        return response.json() if response.content else None

    async def status(self, request: Request) -> int:
        return (await self._request(request)).status_code

    async def _request(self, request: Request) -> httpx.Response:
        name, value = ("authorization", f"Bearer {KEYS[request.key]}")
        if request.key == "operations":
            name, value = "x-api-key", KEYS["operations"]
        return await self.http.request(request.method, request.path, headers={name: value}, json=request.body)

    async def deliver(self, message: Message) -> int:
        """Deliver one message; the status of the answer, 0 where the process died."""
        self.deliveries += 1
        assert self.deliveries <= MOST_DELIVERIES, f"{self.deliveries} deliveries, and still {message}"
        self.clock.ms = max(self.clock.ms, message.due_ms)
        headers = {
            **message.headers,
            "upstash-message-id": message.id,
            "upstash-retried": str(message.retried),
            "upstash-signature": "any",
        }
        try:
            response = await self.http.post(message.path, content=message.body.encode(), headers=headers)
        except Died:
            self.queue.died(message, self.clock.ms)
            return 0
        self.queue.answered(message, response.status_code, response.content, self.clock.ms)
        return response.status_code

    async def run(self, within_seconds: float = _YEAR_SECONDS) -> None:
        """Deliver what is in flight, and what follows, until nothing is due within so long after now."""
        until_ms = self.clock.ms + int(within_seconds * 1000)
        while (message := self.queue.next()) is not None and message.due_ms <= until_ms:
            await self.deliver(message)
