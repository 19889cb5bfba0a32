"""The path before ours: with it or without it, the app answers the same."""

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from baton.site import BasePath


async def show_path(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the path that was asked for."""
    await PlainTextResponse(scope["path"])(scope, receive, send)


async def requested(base: str, path: str) -> str:
    """What the app behind the middleware is asked for."""
    transport = httpx.ASGITransport(app=BasePath(show_path, base))
    async with httpx.AsyncClient(transport=transport, base_url="https://fn.example.com") as client:
        return (await client.get(path)).text


@pytest.mark.parametrize("path", ["/api/v2/workers/sweep", "/workers/sweep"])
async def test_the_app_is_at_the_root_with_and_without_the_base(path: str) -> None:
    """A proxy may strip it or not."""
    assert await requested("/api/v2", path) == "/workers/sweep"


async def test_what_only_looks_like_the_base_stays() -> None:
    """`/api/v22` is another path, and so is everything where there is no base."""
    assert await requested("/api/v2", "/api/v22/x") == "/api/v22/x"
    assert await requested("", "/api/v2/x") == "/api/v2/x"
