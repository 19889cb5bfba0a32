"""The whole product on one app: what answers where."""

import asyncio
from dataclasses import replace

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Scope

from baton.server.app import build_app
from baton.server.site import build_site
from baton.settings.settings import Settings
from baton_events.schema import WEBHOOK_ENDPOINTS
from tests.unit.baton.kit.stage import SETTINGS, Stage

BELOW = "https://fn.example.com/api/v2"


async def answer(app: ASGIApp, path: str, method: str = "GET") -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="https://fn.example.com") as client:
        return await client.request(method, path)


async def status(app: ASGIApp, path: str, method: str = "GET") -> int:
    return (await answer(app, path, method)).status_code


async def test_all_else_is_the_site_which_serves_no_webhook_alone() -> None:
    """In the same two places; webhooks are functions of their own, with the time and the libraries that they need."""
    container = Stage(settings=replace(SETTINGS, worker_base_url=BELOW)).container
    for app, webhook in ((build_app(container), 401), (build_site(container), 404)):
        found = [await status(app, path) for path in ("/healthz", "/api/v2/healthz", "/api/v22/healthz")]
        assert found == [200, 200, 404]
        paths = [prefix + endpoint for prefix in ("", "/api/v2") for endpoint in WEBHOOK_ENDPOINTS]
        assert {await status(app, path, "POST") for path in paths} == {webhook}
    without = build_app(Stage().container)
    assert [await status(without, path) for path in ("/healthz", "/api/v2/healthz")] == [200, 404]


@pytest.mark.parametrize("base", ["/my%20app", "/b%C3%BCro", "/a%41b", "/50%2525", "/a%2Fb", "/a+b"])
async def test_a_public_url_may_have_any_path_which_a_proxy_strips_or_not(base: str) -> None:
    settings = replace(SETTINGS, worker_base_url=f"https://fn.example.com{base}")
    for app in (build_app(Stage(settings=settings).container), build_site(Stage(settings=settings).container)):
        assert [await status(app, path) for path in ("/healthz", f"{base}/healthz")] == [200, 200]
    webhooks = build_app(Stage(settings=settings).container)
    assert await status(webhooks, f"{base}/workers/agent-loop", "POST") == 401


@pytest.mark.parametrize("base", ["/api", "/workers", "/console"])
async def test_the_path_of_the_public_url_may_begin_as_ours_do(base: str) -> None:
    app = build_app(Stage(settings=replace(SETTINGS, worker_base_url=f"https://fn.example.com{base}")).container)
    for method, path, found in (
        ("GET", "/api/agent-jobs", 401),
        ("GET", "/console/login", 200),
        ("POST", "/workers/agent-loop", 401),
        ("GET", "/api/nothing", 404),
    ):
        assert [await status(app, prefix + path, method) for prefix in ("", base)] == [found, found]


@pytest.mark.parametrize("endpoint", ["/workers/agent-loop", "/healthz"])
async def test_it_may_be_mounted_in_another_app(endpoint: str) -> None:
    """Below any path, which need not be that of the public URL: a proxy may have changed it."""
    app = build_app(Stage(settings=replace(SETTINGS, worker_base_url=BELOW)).container)
    outer, healthy = Starlette(routes=[Mount("/baton", app)]), endpoint == "/healthz"
    found = await status(outer, f"/baton{endpoint}", "GET" if healthy else "POST")
    assert found == (200 if healthy else 401)


@pytest.mark.parametrize("endpoint", [*WEBHOOK_ENDPOINTS, "/workers/another", "/another/workers/agent-loop"])
async def test_no_socket_and_no_other_path_is_a_webhook(endpoint: str) -> None:
    app, found = build_app(Stage().container), list[Message]()

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        found.append(message)

    scope: Scope = {"type": "websocket", "path": endpoint, "headers": [], "query_string": b"", "scheme": "ws"}
    await app(scope, receive, send)
    assert [message["type"] for message in found] == ["websocket.close"]
    if endpoint not in WEBHOOK_ENDPOINTS:
        assert await status(app, endpoint, "POST") == 404


@pytest.mark.parametrize(
    ("settings", "pumps"),
    [(SETTINGS, 1), (replace(SETTINGS, pumps=0), 0), (replace(SETTINGS, lambda_runtime_api="127.0.0.1:9"), 0)],
)
async def test_a_process_that_serves_delivers_unless_it_is_told_not_to(settings: Settings, pumps: int) -> None:
    class Delivering(list[bool]):
        async def run(self) -> None:
            self.append(True)

    stage, started = Stage(settings=settings), Delivering()
    vars(stage.queue)["pump"] = lambda _: started
    site = build_site(stage.container)
    async with site.router.lifespan_context(site):
        await asyncio.sleep(0)
    assert len(started) == pumps
