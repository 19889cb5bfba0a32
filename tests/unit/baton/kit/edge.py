"""The app over fakes as the queue reaches it, with the real check of signatures."""

import httpx

from baton.queue.verifier import QueueVerifier
from baton.server.app import build_app
from baton.settings.settings import Settings
from baton_events.schema import encode_event
from tests.unit.baton.kit.signing import delivery_headers, keyed
from tests.unit.baton.kit.stage import BASE, SETTINGS, Stage

LOOP = f"{BASE}/workers/agent-loop"
KEYED = keyed(SETTINGS)


class Edge:
    def __init__(self, settings: Settings = KEYED) -> None:
        self.stage = Stage(settings=settings, verifier=QueueVerifier(settings))
        self.app = build_app(self.stage.container)
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url=BASE)

    async def first_event(self) -> bytes:
        """The body of a submitted job's first event."""
        return encode_event(await self.stage.submit("answers")).encode()

    async def post(self, body: bytes, url: str = LOOP, **headers: str) -> httpx.Response:
        """Deliver a body as the queue does, with some headers changed."""
        return await self.client.post(url, content=body, headers=delivery_headers(url, body, **headers))
