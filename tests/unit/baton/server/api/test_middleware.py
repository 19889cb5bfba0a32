"""What every answer tells a browser."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, cast

import httpx
import pytest
from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request

from baton.server.api.middleware import HEADERS, STRICT_TRANSPORT, MeteredApp, SecurityHeaders
from baton.server.api.problem import invalid, on_error
from baton.settings.limits import COUNTED_FAULTS, FAULTS
from baton.settings.settings import read_settings
from baton_events.errors import NewerVersionError, PublishError, SettingsError, UnknownJobError
from tests.unit.baton.kit.stage import SETTINGS, Stage
from tests.unit.baton.server.api.client import Api, api_of, api_with, assert_problem

APP = "https://app.example.com"
OTHER_PAGE = "https://evil.example.com"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", 200),
        ("GET", "/api/agent-jobs/job_1", 404),
        ("POST", "/api/agent-jobs", 400),
        ("GET", "/nowhere", 404),
        ("PUT", "/healthz", 405),
        ("POST", "/workers/agent-loop", 401),
    ],
)
async def test_every_answer_has_the_headers(api: Api, method: str, path: str, status: int) -> None:
    response = await api.request(method, path, content=b"{")
    assert response.status_code == status
    assert {name: response.headers.get(name) for name in HEADERS} == HEADERS
    assert response.headers["strict-transport-security"] == STRICT_TRANSPORT


async def test_an_answer_to_a_defect_has_them_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async with api_with() as api:

        async def broken(_job_id: str) -> None:
            raise RuntimeError("secret-detail")

        monkeypatch.setattr(api.stage.reader, "job", broken)
        response = await api.request("GET", "/api/agent-jobs/job_1")
    assert assert_problem(response, 500) == "internal error"
    assert "secret-detail" not in response.text
    assert {name: response.headers.get(name) for name in HEADERS} == HEADERS


async def test_over_http_nothing_is_promised_about_https() -> None:
    """A browser that heard it of a local stack would refuse every other one on this machine."""
    async with api_of(Stage(settings=replace(SETTINGS, worker_base_url="http://127.0.0.1:8090"))) as api:
        response = await api.http.get("http://127.0.0.1:8090/healthz")
    assert response.json() == {"status": "ok"}
    assert "strict-transport-security" not in response.headers


async def test_an_answer_keeps_what_it_set_itself() -> None:
    async def page(_scope: Any, _receive: Any, send: Any) -> None:
        headers = [(b"content-security-policy", b"default-src 'self'")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    transport = httpx.ASGITransport(app=SecurityHeaders(page, https=False, shared=False))
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as http:
        response = await http.get("/")
        assert (await http.get("https://x/")).headers["strict-transport-security"] == STRICT_TRANSPORT
    assert response.headers.get_list("content-security-policy") == ["default-src 'self'"]
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "strict-transport-security" not in response.headers


async def test_each_request_is_metered_and_the_start_of_a_process_is_none() -> None:
    seen = list[str]()

    class Meter:
        @asynccontextmanager
        async def invocation(self) -> AsyncIterator[None]:
            seen.append("metered")
            yield

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append(scope["type"])

    metered: Any = MeteredApp(app, cast("Any", Meter()))
    for kind in ("lifespan", "http", "websocket"):
        await metered({"type": kind}, None, None)
    assert seen == ["lifespan", "metered", "http", "metered", "websocket"]


@pytest.mark.parametrize(
    ("error", "status", "detail"),
    [
        (NewerVersionError("a job of version 2"), 503, "a job of version 2; try again"),
        (UnknownJobError("job_1"), 503, "job_1; try again"),
        (PublishError("down"), 503, "the queue does not take messages; try again"),
    ],
)
async def test_what_may_pass_says_when_to_come_back(error: Exception, status: int, detail: str) -> None:
    answer = await on_error(Request({"type": "http"}), error)
    assert (answer.status_code, answer.headers["retry-after"]) == (status, "5")
    assert json.loads(bytes(answer.body))["detail"] == detail


@pytest.mark.parametrize(
    ("faults", "listed"), [(1, 1), (FAULTS, FAULTS), (COUNTED_FAULTS, FAULTS), (COUNTED_FAULTS + 1, 1)]
)
def test_faults_are_listed_up_to_a_number_and_counted_beyond(faults: int, listed: int) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(list[int]).validate_python(["x"] * faults)
    error = invalid(caught.value, "body")
    assert len(error.faults) == listed
    assert ("too many to list" in str(error)) is (faults > COUNTED_FAULTS)


@pytest.mark.parametrize(
    ("setting", "origin", "allowed"),
    [
        ("", APP, None),
        (APP, APP, APP),
        (f"https://a.example.com, {APP}", APP, APP),
        (APP, OTHER_PAGE, None),
        ("*", OTHER_PAGE, "*"),
    ],
)
async def test_only_pages_of_these_origins_may_read_answers(setting: str, origin: str, allowed: str | None) -> None:
    origins = read_settings({"CORS_ORIGINS": setting}).cors_origins
    async with api_with(cors_origins=origins) as api:
        requested = {"origin": origin, "access-control-request-method": "POST"}
        requested["access-control-request-headers"] = "authorization,idempotency-key,last-event-id"
        before = await api.http.options("/api/agent-jobs", headers=requested)
        after = await api.request("GET", "/api/agent-jobs/job_1", headers={"origin": origin})
    assert (before.headers.get("access-control-allow-origin"), before.status_code == 200) == (allowed, bool(allowed))
    assert after.headers.get("access-control-allow-origin") == allowed
    assert after.headers["cross-origin-resource-policy"] == ("cross-origin" if setting else "same-origin")
    assert "access-control-allow-credentials" not in after.headers


@pytest.mark.parametrize(
    ("method", "path", "header"),
    [
        ("POST", "/a2a/talks", "a2a-version,a2a-extensions"),
        ("PUT", "/api/admin/budgets/k", "content-type"),
        ("POST", "/mcp", "mcp-method,mcp-name,mcp-protocol-version,mcp-session-id"),
        ("GET", "/api/agent-jobs/job_1/calls/c/result", "range"),
        ("POST", "/api/agent-operations/op_1", "x-api-key"),
        ("POST", "/api/agent-jobs", "authorization,content-type,idempotency-key,last-event-id"),
        ("POST", "/api/agent-jobs", "authorization,content-type,traceparent,tracestate,baggage"),
        ("POST", "/api/chat", "authorization,content-type,sentry-trace,baggage"),
        ("POST", "/api/chat", "b3,x-b3-traceid,x-datadog-trace-id,newrelic,elastic-apm-traceparent,x-amzn-trace-id"),
    ],
)
async def test_pages_may_send_what_each_route_takes(method: str, path: str, header: str) -> None:
    """And what their tracing adds; of another origin nobody may send anything."""
    async with api_with(cors_origins=APP) as api:
        requested = {"origin": APP, "access-control-request-method": method}
        requested["access-control-request-headers"] = header
        before = await api.http.options(path, headers=requested)
        requested["origin"] = OTHER_PAGE
        refused = await api.http.options(path, headers=requested)
    assert (before.status_code, before.text) == (200, "OK")
    assert before.headers["access-control-allow-headers"] == header
    assert (refused.status_code, "access-control-allow-origin" in refused.headers) == (400, False)


@pytest.mark.parametrize("setting", ["app.example.com", f"{APP}/path", f"{APP},x"])
def test_what_is_no_origin_is_refused(setting: str) -> None:
    with pytest.raises(SettingsError, match="CORS_ORIGINS"):
        read_settings({"CORS_ORIGINS": setting})
