"""Frames between a delivery and what is asked of the store: each profile and each traceback shows all of them."""

import sys
from collections import defaultdict
from types import FrameType
from typing import Any

from baton.testing import asgi
from baton.worker.handlers.agent_loop import SPEC
from baton.worker.runtime.webhook import SignedEndpoint
from baton_events.schema import encode_event
from tests.fakes.stored import FakeStore
from tests.unit.baton.kit.stage import Stage

FRAMES: defaultdict[str, list[int]] = defaultdict(list)


def note(name: str) -> None:
    """Count the functions above the store's, up to the function's ASGI app; nothing of what comes by itself."""
    frame: FrameType | None = sys._getframe(2)
    count = 1
    while frame is not None and frame.f_code is not SignedEndpoint.__call__.__code__:
        frame, count = frame.f_back, count + 1
    if frame is not None:
        FRAMES[name].append(count)


class Watched(FakeStore):
    async def claim(self, *arguments: Any, **named: Any) -> Any:
        note("claim")
        return await super().claim(*arguments, **named)

    async def commit(self, *arguments: Any, **named: Any) -> Any:
        note("commit")
        return await super().commit(*arguments, **named)


async def test_few_frames_lie_between_a_delivery_and_the_store() -> None:
    """From a function's ASGI app to CLAIM, and to COMMIT."""
    stage = Stage(store=Watched())
    body = encode_event(await stage.submit("answers")).encode()
    headers = {"upstash-signature": "any", "upstash-message-id": "m1", "upstash-retried": "0"}
    await asgi.request(stage.container.endpoint(SPEC), "/", headers, body)
    assert max(FRAMES["claim"]) <= 12
    assert max(FRAMES["commit"]) <= 15
