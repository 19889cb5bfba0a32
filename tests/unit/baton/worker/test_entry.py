"""From a function's module to an ASGI app and a Lambda handler: nothing before the first request, then once."""

import asyncio
import base64
import gc
import json
import sys

import httpx
import pytest
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from baton.settings.settings import Settings
from baton.store.redis.call_limits import CallLimits
from baton.worker.container import Container
from baton.worker.entry import LambdaHandler, LazyApp
from baton.worker.wiring import real_ports
from baton_events.errors import SettingsError
from baton_local.fixtures.lambda_events import HttpRequest, function_url_event
from tests.unit.baton.kit.invoker import Invoker

ENVIRONMENT = {
    "UPSTASH_REDIS_REST_URL": "http://127.0.0.1:9",
    "UPSTASH_REDIS_REST_TOKEN": "t",
    "QSTASH_TOKEN": "t",
    "WORKER_BASE_URL": "https://fn.example.com",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """What a process needs; nothing else of ours."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


class Building:
    def __init__(self) -> None:
        self.containers: list[Container] = []

    def __call__(self, container: Container) -> ASGIApp:
        self.containers.append(container)

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await Response("here")(scope, receive, send)

        return app


async def get(app: LazyApp) -> str:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://fn") as client:
        return (await client.get("/")).text


async def test_an_app_is_built_by_the_first_request_and_kept(environment: pytest.MonkeyPatch) -> None:
    building = Building()
    gc.disable()  # as imports do
    gc.unfreeze()
    app = LazyApp(building)
    assert (gc.isenabled(), building.containers) == (True, [])
    assert gc.get_freeze_count() > 10_000, "nor does the first search go through what was imported"
    environment.setenv("MAX_CONCURRENT_JOBS", "7")
    gc.unfreeze()
    assert [await get(app), await get(app)] == ["here", "here"]
    assert gc.get_freeze_count() > 10_000, "what stays as long as the process is no longer looked at"
    gc.unfreeze()
    [container] = building.containers
    assert container.settings.max_concurrent_jobs == 7
    await container.close()


async def test_a_process_without_settings_says_what_is_missing_at_every_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    building = Building()
    app = LazyApp(building)
    for _ in range(2):
        with pytest.raises(SettingsError, match=r"QSTASH_TOKEN(.|\n)*WORKER_BASE_URL(.|\n)*UPSTASH_REDIS_REST_URL"):
            await get(app)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    assert await get(app) == "here"


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    found = {"method": scope["method"], "path": scope["path"], "body": body.decode(), "header": headers.get("x-a")}
    await JSONResponse(found)(scope, receive, send)


@pytest.mark.parametrize("encoded", [False, True])
def test_a_function_url_event_becomes_a_request(encoded: bool) -> None:
    """Method, path, headers, and the body byte for byte, however it is carried.

    One invocation after the other is on one loop, to which connections are bound, and nothing is shut down in between.
    """
    served: set[tuple[str, asyncio.AbstractEventLoop]] = set()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        served.add((scope["type"], asyncio.get_running_loop()))
        await echo(scope, receive, send)

    handler = LambdaHandler(app)
    text = '{"a":"é"}'
    event = function_url_event(HttpRequest("POST", "/workers/agent-loop", {"x-a": "b"}, text.encode(), encoded=encoded))
    with Invoker() as invoker:
        answer, again = [invoker.invoke(handler, event) for _ in range(2)]
    assert (answer["statusCode"], again) == (200, answer)
    assert served == {("http", handler.loop)}
    found = base64.b64decode(answer["body"]) if answer["isBase64Encoded"] else answer["body"]
    assert json.loads(found) == {"method": "POST", "path": "/workers/agent-loop", "body": text, "header": "b"}


def test_code_that_wants_to_end_the_process_is_an_error_and_the_next_event_is_served() -> None:
    """Lambda's own runtime reports exceptions alone; with a SystemExit it would end."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/leave":
            asyncio.get_running_loop().call_soon(sys.exit, 3)
        await asyncio.sleep(0.01)
        await Response("here")(scope, receive, send)

    handler = LambdaHandler(app)
    with Invoker() as invoker:
        with pytest.raises(RuntimeError, match="end its process, with 3"):
            invoker.invoke(handler, function_url_event(HttpRequest("GET", "/leave")))
        assert invoker.invoke(handler, function_url_event(HttpRequest("GET", "/")))["body"] == "here"


def test_what_few_deployments_have_is_made_where_settings_name_it() -> None:
    ports = real_ports(Settings())
    assert (ports.alerts, ports.tracer) == (None, None)
    assert ports.call_limits is not None
    assert isinstance(ports.call_limits(), CallLimits)
    assert real_ports(Settings(alert_webhook_url="https://example.com/hook")).alerts is not None
    assert real_ports(Settings(otel_endpoint="https://example.com/otel")).tracer is not None
