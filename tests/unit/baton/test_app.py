"""The whole product on one app: what answers where."""

from dataclasses import replace

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import Message, Scope

from baton.app import build_app
from baton_events.schema import WEBHOOK_ENDPOINTS
from tests.unit.baton.kit.stage import BASE, SETTINGS, Stage

BELOW = "https://fn.example.com/api/v2"


async def answer(path: str, *, base: str = BASE, method: str = "POST") -> httpx.Response:
    """What the app answers where its public URL is `base`."""
    app = build_app(Stage(settings=replace(SETTINGS, worker_base_url=base)).container)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="https://fn.example.com") as client:
        return await client.request(method, path)


@pytest.mark.parametrize("prefix", ["", "/api/v2"])
@pytest.mark.parametrize("endpoint", WEBHOOK_ENDPOINTS)
async def test_a_webhook_answers_with_and_without_the_path_of_the_public_url(endpoint: str, prefix: str) -> None:
    """Whether a proxy strips it is not ours to say."""
    response = await answer(prefix + endpoint, base=BELOW)
    assert (response.status_code, response.json()["title"]) == (401, "webhook refused")


@pytest.mark.parametrize("endpoint", ["/workers/agent-loop", "/healthz"])
async def test_it_may_be_mounted_in_another_app(endpoint: str) -> None:
    """Below any path, which need not be that of the public URL: a proxy may have changed it."""
    app = build_app(Stage(settings=replace(SETTINGS, worker_base_url=BELOW)).container)
    outer = Starlette(routes=[Mount("/baton", app)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=outer), base_url="https://fn.example.com") as client:
        response = await client.request("GET" if endpoint == "/healthz" else "POST", f"/baton{endpoint}")
    assert response.status_code == (200 if endpoint == "/healthz" else 401)


@pytest.mark.parametrize("path", ["/healthz", "/api/v2/healthz"])
async def test_all_else_is_the_site(path: str) -> None:
    """In the same two places."""
    assert (await answer(path, base=BELOW, method="GET")).status_code == 200


@pytest.mark.parametrize("endpoint", [*WEBHOOK_ENDPOINTS, "/workers/another", "/another/workers/agent-loop"])
async def test_no_socket_and_no_other_path_is_a_webhook(endpoint: str) -> None:
    """A socket is closed; what is nobody's is not found."""
    app, found = build_app(Stage().container), list[Message]()

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        found.append(message)

    scope: Scope = {"type": "websocket", "path": endpoint, "headers": [], "query_string": b"", "scheme": "ws"}
    await app(scope, receive, send)
    assert [message["type"] for message in found] == ["websocket.close"]
    if endpoint not in WEBHOOK_ENDPOINTS:
        assert (await answer(endpoint)).status_code == 404
