"""The whole server in process: real storage, real HTTP surface, virtual clock, scripted destination."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from baton_local.qstash.core.limits import Limits
from baton_local.qstash.core.message import AttemptResult, OutgoingRequest
from baton_local.qstash.engine import Engine
from baton_local.qstash.server import running_engine
from baton_local.qstash.settings import DEVELOPMENT_USERS, Settings, User
from baton_local.qstash.wire.app import Api
from tests.unit.baton_local.qstash.virtual_clock import VirtualClock

TOKEN, OTHER_TOKEN = DEVELOPMENT_USERS[0].token, DEVELOPMENT_USERS[1].token
READ_ONLY = "read-only"
OK = AttemptResult(200, {"Content-Type": ["text/plain"]}, b"ok")


@dataclass
class Served:
    engine: Engine
    client: httpx.AsyncClient
    clock: VirtualClock
    sent: list[OutgoingRequest] = field(default_factory=list)
    answer: Callable[[OutgoingRequest], AttemptResult] = lambda _request: OK

    async def send(self, request: OutgoingRequest) -> AttemptResult:
        self.sent.append(request)
        return self.answer(request)

    async def settle(self) -> None:
        await self.engine.settled()

    async def advance(self, seconds: float) -> None:
        await self.settle()
        self.clock.advance(int(seconds * 1_000))
        await self.settle()

    async def call(self, method: str, path: str, **options: Any) -> Any:
        """A request that must succeed; its JSON."""
        response = await self.client.request(method, path, **options)
        assert response.is_success, f"{response.status_code} {response.text}"
        return response.json() if response.content else None


@asynccontextmanager
async def serving(
    data: Path, *, clock: VirtualClock | None = None, settings: dict[str, Any] | None = None, **limits: Any
) -> AsyncIterator[Served]:
    """A server over this data folder; run twice over one folder, it takes up where it was."""
    first = DEVELOPMENT_USERS[0]
    reader = User(first.id, first.token, first.current_signing_key, first.next_signing_key, READ_ONLY)
    given: dict[str, Any] = {"users": (reader, DEVELOPMENT_USERS[1]), "synced": False, "stop_grace_seconds": 0} | (
        settings or {}
    )
    chosen = Settings(data=data, limits=Limits(**limits), **given)
    clock = clock or VirtualClock()
    holder: asyncio.Future[Served] = asyncio.get_running_loop().create_future()

    async def send(request: OutgoingRequest) -> AttemptResult:
        return await (await holder).send(request)

    async with running_engine(chosen, clock=clock, send=send) as engine:
        transport = httpx.ASGITransport(app=Api(engine, chosen), client=("10.0.0.1", 5))
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://qstash", headers=headers) as client:
            served = Served(engine, client, clock)
            holder.set_result(served)
            yield served
