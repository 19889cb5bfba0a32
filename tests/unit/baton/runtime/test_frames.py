"""Frames between a delivery and what is asked of the store: each profile and each traceback shows all of them."""

import sys
from collections.abc import Iterator
from typing import Any

from baton.handlers.agent_loop import SPEC
from baton.runtime.webhook import SignedEndpoint
from baton_events.schema import encode_event
from tests.fakes import FakeStore
from tests.unit.baton.kit.stage import Stage


def frames() -> Iterator[str]:
    frame = sys._getframe(2)  # the store's own frame is not counted
    while frame is not None:
        yield frame.f_code.co_name
        if frame.f_code is SignedEndpoint.__call__.__code__:
            return
        assert frame.f_back is not None, "called by something else than a delivery"
        frame = frame.f_back


class Watched(FakeStore):
    def __init__(self) -> None:
        super().__init__()
        self.watching = False
        self.claims: list[int] = []
        self.commits: list[int] = []

    async def claim(self, *arguments: Any, **named: Any) -> Any:
        if self.watching:
            self.claims.append(len([*frames()]))
        return await super().claim(*arguments, **named)

    async def commit(self, *arguments: Any, **named: Any) -> Any:
        if self.watching:
            self.commits.append(len([*frames()]))
        return await super().commit(*arguments, **named)


async def test_few_frames_lie_between_a_delivery_and_the_store() -> None:
    store = Watched()
    stage = Stage(store=store)
    body, headers = (
        encode_event(await stage.submit("answers")).encode(),
        {
            "upstash-signature": "any",
            "upstash-message-id": "m1",
            "upstash-retried": "0",
        },
    )
    scope = {
        "type": "http",
        "method": "POST",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(_message: Any) -> None:
        pass

    store.watching = True
    await stage.container.endpoint(SPEC)(scope, receive, send)
    assert max(store.claims) <= 12
    assert max(store.commits) <= 15
