"""Every route of the app, tried with every key: what is not let in learns nothing, and no route is without a rule."""

import re
from collections.abc import AsyncIterator
from itertools import product
from typing import Any, get_args

import pytest
from starlette.routing import Route, WebSocketRoute

from baton.server.api.audit import Audit
from baton.server.api.auth import Keys
from baton.server.api.route import Access, ApiRoute
from baton.server.app import SPECS, build_app
from baton.server.console.routes import console_routes
from baton.server.openapi import DESCRIBED, described
from baton.server.routes import api_table
from baton.server.web.routes import web_routes
from baton.settings.table import SETTINGS
from baton.worker.runtime.spec import Spec
from baton_events.errors import SignatureError
from tests.unit.baton.kit.stage import AnySignature, Stage
from tests.unit.baton.server.api.client import ACME, ADMIN, OTHER, api_of, api_with, assert_problem, digest, with_keys

CONTAINER = Stage(settings=with_keys()).container
TABLE = api_table(CONTAINER, Keys(CONTAINER), Audit(CONTAINER))
OPERATIONS_KEY = "key-of-operations"
WITH_OPERATIONS = with_keys(operations_api_key=OPERATIONS_KEY, redis_token="token-of-the-store")
# Open on purpose, each weighed: they tell whether the process is up, or run only where a setting says so.
OPEN = {"GET /healthz", "GET /readyz", "GET /openapi.json", "POST /test/simple", "GET /api/agent/updates"}
# Cards of agents that say so themselves.
OPEN |= {"GET /.well-known/agent-card.json", "GET /a2a/{agent}/.well-known/agent-card.json"}
# They ask by themselves; a test of their own tries each.
SELF: set[str] = set()


def route_name(route: ApiRoute) -> str:
    return f"{route.method} {route.path}"


def path_of(route: ApiRoute, found: str = "x") -> str:
    return re.sub(r"\{[a-z_:]+\}", found, route.path)


def _of(*access: str) -> list[ApiRoute]:
    return [route for route in TABLE if route.access in access]


def _with_id(name: str) -> list[ApiRoute]:
    return [route for route in _of("client", "run", "stream") if f"{{{name}" in route.path]


NO_KEYS: list[dict[str, str | bytes]] = [
    {},
    {"authorization": "Bearer wrong"},
    {"authorization": f"Bearer {digest(ADMIN)}"},  # whoever reads the settings cannot use them
    {"authorization": "Bearer"},
    {"authorization": b"Bearer \xff\xfe"},
    {"authorization": b"Bearer \x00"},
    {"authorization": "Bearer " + "x" * 20_000},
    {"authorization": "Bearer "},
    {"authorization": f"Bearer {ACME}x"},
    {"authorization": f"Bearer x {ACME}"},
    {"authorization": f"Basic {ADMIN}"},
    {"authorization": ADMIN},
    {"x-api-key": "wrong"},
    {"x-api-key": b"\xff"},
    {"x-api-key": digest(OPERATIONS_KEY)},
    {"cookie": f"key={ADMIN}"},
]


@pytest.mark.parametrize("route", [route for route in TABLE if route.access not in ("open", "self")], ids=route_name)
async def test_without_a_known_key_nothing_is_revealed(route: ApiRoute) -> None:
    """401 with what to send, whatever the path and the body are."""
    scheme, wanted = ("ApiKey", "x-api-key") if route.access == "operations" else ("Bearer", "Authorization: Bearer")
    async with api_of(Stage(settings=WITH_OPERATIONS)) as api:
        keys = [{"authorization": f"Bearer {key}", "x-api-key": key} for key in (ACME, ADMIN)]
        for headers in [*NO_KEYS, *(keys if route.access == "operations" else [])]:
            response = await api.request(route.method, path_of(route), "", headers=headers, content=b"\xff")
            assert wanted in assert_problem(response, 401)
            assert response.headers["www-authenticate"] == scheme, headers


@pytest.mark.parametrize("route", _of("admin", "metrics"), ids=route_name)
async def test_a_clients_key_is_refused_where_an_admins_is_needed(route: ApiRoute) -> None:
    """403, before anything of the request is looked at."""
    async with api_of(Stage(settings=WITH_OPERATIONS)) as api:
        assert_problem(await api.request(route.method, path_of(route), ACME, content=b"\xff"), 403)


@pytest.mark.parametrize("route", _of("stream"), ids=route_name)
async def test_what_is_no_token_opens_no_stream(route: ApiRoute) -> None:
    tokens = ("", "x", ".", "é.é", "e30.AAAA", "." * 40, "a.b.c", "%FF", "x" * 5_000, ACME)
    async with api_of(Stage(settings=WITH_OPERATIONS)) as api:
        for token, key in product(tokens, ("", "wrong")):
            assert_problem(await api.request("GET", f"{path_of(route)}?token={token}", key), 401)


@pytest.mark.parametrize("route", _with_id("job_id"), ids=route_name)
async def test_another_tenants_job_is_refused(route: ApiRoute) -> None:
    async with api_with() as api:
        job_id = (await api.submitted(taskDescription="of-acme"))["id"]
        before = await api.read(job_id)
        needed: dict[str, dict[str, Any]] = {"fork": {"turn": 1}, "scores": {"name": "tone", "value": 1}}
        posted = needed.get(route.path.rpartition("/")[2], {"name": "arrived"})
        bodies = {"PATCH": {"action": "cancel"}, "POST": posted}
        options = {"json": bodies[route.method]} if route.method in bodies else {}
        response = await api.request(route.method, path_of(route, job_id), OTHER, **options)
        assert "of-acme" not in assert_problem(response, 403)
        assert await api.read(job_id) == before


@pytest.mark.parametrize("route", _with_id("schedule_id"), ids=route_name)
async def test_another_tenants_schedule_is_refused(route: ApiRoute) -> None:
    async with api_with() as api:
        body = {"jobType": "adds", "taskDescription": "do it", "cron": "0 9 * * *", "timeZone": "UTC"}
        schedule = (await api.request("POST", "/api/agent-schedules", ACME, json=body)).json()
        options = {"json": {"paused": True}} if route.method == "PATCH" else {}
        assert_problem(await api.request(route.method, path_of(route, schedule["id"]), OTHER, **options), 403)
        assert (await api.request("GET", f"/api/agent-schedules/{schedule['id']}", ACME)).json() == schedule


@pytest.mark.parametrize("route", _with_id("session_id"), ids=route_name)
async def test_another_tenants_session_is_refused(route: ApiRoute) -> None:
    """403 where the tenant is named; without it, the session is one's own, with nothing of the other's."""
    async with api_with() as api:
        job_id = (await api.submitted(sessionId="s1", taskDescription="of-acme"))["id"]
        before = await api.read(job_id)
        path = path_of(route, "s1")
        assert_problem(await api.request(route.method, f"{path}?tenant=acme", OTHER), 403)
        own = await api.request(route.method, path, OTHER, json={"message": "hello"})
        assert own.status_code in (200, 204, 404)
        assert "of-acme" not in own.text
        assert job_id not in own.text
        assert await api.read(job_id) == before


@pytest.mark.parametrize("route", _with_id("event_id"), ids=route_name)
async def test_another_tenants_app_event_is_refused(route: ApiRoute) -> None:
    """403: its existence is no secret, its content is."""
    async with api_with() as api:
        sent = await api.request("POST", "/api/events", json={"name": "order.created", "data": "of-acme"})
        response = await api.request(route.method, path_of(route, sent.json()["id"]), OTHER)
        assert "of-acme" not in assert_problem(response, 403)


def test_every_kind_of_id_that_a_tenant_may_request_is_tried() -> None:
    """A new one needs a test of its own here."""
    ids = {name for route in _of("client", "run", "stream") for name in re.findall(r"{(\w+)", route.path)}
    # A call's stands behind its job's, a file's name behind its session's; seed 003's tests try a task's, and those of
    # links a checkpoint's. An agent is everybody's.
    elsewhere = {"call_id", "name", "task_id", "checkpoint_id", "agent"}
    assert ids == {"job_id", "other_id", "schedule_id", "session_id", "event_id", *elsewhere}


@pytest.mark.parametrize("route", [route for route in TABLE if route.method != "GET"], ids=route_name)
async def test_a_body_over_the_routes_limit_is_refused(route: ApiRoute) -> None:
    """413 by what the header says; where it says nothing by what really comes, of which little more is taken in."""
    sent, chunk = 0, b" " * 10_000

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 2 * route.body_limit_bytes + 100_000:
            sent += len(chunk)
            yield chunk

    huge = b" " * (route.body_limit_bytes + 1)
    async with api_of(Stage(settings=WITH_OPERATIONS)) as api:
        headers, path = {"x-api-key": OPERATIONS_KEY}, path_of(route, (await api.submitted(ADMIN))["id"])
        for content in (huge, endless()) if described(route).body else (huge,):
            response = await api.request(route.method, path, ADMIN, headers=headers, content=content)
            assert str(route.body_limit_bytes) in assert_problem(response, 413)
    assert sent <= route.body_limit_bytes + 2 * len(chunk)


def test_every_route_of_the_app_has_a_rule() -> None:
    """A route of the site is a line of the table, a page behind the gate, or the chat page, which holds nothing."""
    container = Stage(settings=with_keys()).container
    keys = Keys(container)
    pages = {page.path for page in (*console_routes(container, keys), *web_routes(container, keys))}
    there = [
        (method, route.path)
        for route in build_app(container).site.routes
        if isinstance(route, Route) and route.path not in pages
        for method in (route.methods or set()) - {"HEAD"}
    ]
    assert sorted(there) == sorted((route.method, route.path) for route in TABLE)
    assert len(set(there)) == len(there), "the second one would never be reached"
    others = [route for route in build_app(container).site.routes if not isinstance(route, Route)]
    # A socket has no line: what it asks for is tried in test_agent_start.py.
    assert [route.path for route in others if isinstance(route, WebSocketRoute)] == ["/api/agent/updates"]
    assert len(others) == 1


def test_what_is_below_admin_is_an_admins_and_nothing_else_is() -> None:
    """Each of them is tried with a client's key above; a setting lets clients make links (test_link_page.py)."""
    below = [route for route in TABLE if route.path.startswith("/api/admin/")]
    assert [route for route in below if not route.path.endswith("/links")] == _of("admin")


def test_only_these_routes_are_open() -> None:
    """Another one is a decision, made here."""
    assert {route_name(route) for route in _of("open")} == OPEN
    assert {route_name(route) for route in _of("self")} == SELF


class StrangeSignature(AnySignature):
    def signed_digest(self, signature: str, url: str) -> str:
        raise SignatureError("not signed")


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.path)
async def test_a_webhook_is_the_queues_alone(spec: Spec) -> None:
    """No key opens it: without the queue's signature it is 401."""
    async with api_of(Stage(settings=with_keys(), verifier=StrangeSignature())) as api:
        assert (await api.request("POST", spec.path, ADMIN, content=b"{}")).status_code == 401


def test_each_route_has_a_rule_a_description_and_a_limit_that_there_is() -> None:
    table = api_table(CONTAINER, Keys(CONTAINER), Audit(CONTAINER))
    assert {route.access for route in table} <= set(get_args(Access))
    assert {route.limit_setting for route in table} <= {"", *(setting.name for setting in SETTINGS)}
    assert DESCRIBED.keys() <= {route_name(route) for route in table}
