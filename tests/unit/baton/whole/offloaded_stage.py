"""The queue's part in an offloaded model call: it sends a request once, and brings what the provider answers."""

import json
from base64 import b64encode
from typing import Any

from baton import Agent, Registry
from baton.app import build_app
from baton.testing import asgi
from baton.testing.deliveries import delivery_headers
from baton_events.messages import Outgoing
from tests.unit.baton.kit.stage import BASE, SETTINGS, Stage

CUT = object()  # an answer of which the queue keeps half


class OffloadedStage(Stage):
    def __init__(self, *agents: Agent, **more: Any) -> None:
        super().__init__(registry=Registry(agents), settings=more.pop("settings", SETTINGS), **more)
        self._brought = 0

    def requests(self) -> list[Outgoing]:
        by_name = {message.deduplication_id: message for message in self.outgoing() if message.callback}
        return list(by_name.values())

    async def asks(self, agent: str = "a") -> Outgoing:
        await self.submit(agent)
        return await self.goes_on()

    async def goes_on(self) -> Outgoing:
        await self.run(within_seconds=1)
        return self.requests()[-1]

    async def bring(
        self,
        request: Outgoing,
        body: dict[str, Any] | None = None,
        status: int = 200,
        headers: dict[str, str] | None = None,
        *,
        cut: bool = False,
    ) -> asgi.Answer:
        self._brought += 1
        answer = json.dumps(body or {}).encode()
        given = {"Content-Type": "application/json", **(headers or {})}
        callback = {
            "status": status,
            "header": {name: [text] for name, text in given.items()},
            "body": b64encode(answer[: len(answer) // 2] if cut else answer).decode(),
            "maxRetries": 0,
            "sourceMessageId": "msg_1",
            "url": request.url,
        }
        message = Outgoing(json.dumps(callback), request.callback)
        delivered = delivery_headers(message, f"cb_{self._brought}", 0, "any")
        path = request.callback.removeprefix(BASE)
        answered = await asgi.request(build_app(self.container), path, delivered, message.body.encode())
        await self.run(within_seconds=1)
        return answered
