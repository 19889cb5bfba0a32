"""README's table of HTTP endpoints, from the application's own routes.

Invariant: every route has a line here and every line a route; otherwise making the table fails.
"""

from collections.abc import Iterable

from starlette.routing import Route

from events.settings import Settings
from functions.api.routes import api_routes
from functions.container import Container
from functions.wiring import real_ports
from infra.docs.markdown_table import markdown_table

CLIENT = "client or admin"
NONE = "none"
ADMIN = "admin"
OPERATIONS = "`x-api-key`"

# (method, path) → who may call it, and what it does.
WHAT = {
    ("POST", "/api/agent-jobs"): (CLIENT, "submit a job; 202 and the job. `Idempotency-Key` is honoured"),
    ("GET", "/api/agent-jobs/{job_id}"): (CLIENT, "the job: status, what it waits for, tool calls, result, usage"),
    ("PATCH", "/api/agent-jobs/{job_id}"): (CLIENT, '`{"action": "cancel"}` ends the job at once; 409 if it has ended'),
    ("POST", "/api/agent-jobs/{job_id}/events"): (
        CLIENT,
        '`{"name", "data"}`: something happened that the job may wait for; kept for it if nobody waits yet',
    ),
    ("GET", "/api/agent-jobs/{job_id}/checkpoints"): (CLIENT, "marks that tools set, and decisions that it waits for"),
    ("POST", "/api/admin/agent-checkpoints/{checkpoint_id}"): (
        ADMIN,
        '`{"arguments", "comment"}`, both optional: approves; 409 where it was decided before',
    ),
    ("DELETE", "/api/admin/agent-checkpoints/{checkpoint_id}"): (ADMIN, '`{"reason"}`: rejects; 409 likewise'),
    ("GET", "/api/operations/{operation_id}"): (OPERATIONS, "the tool call that waits for the operation"),
    ("POST", "/api/operations/{operation_id}/complete"): (
        OPERATIONS,
        '`{"success", "result" or "error"}` finishes the waiting call; repeatable, the first outcome stays',
    ),
    ("GET", "/api/agent-jobs/{job_id}/stream"): (
        CLIENT,
        "its parts as server-sent events (AI SDK UI message stream v1); resume with `Last-Event-ID`",
    ),
    ("GET", "/api/agent-jobs/{job_id}/recording"): (
        CLIENT,
        "an ended job with every answer of its models and tools, for `baton replay --offline`; 409 before its end",
    ),
    ("DELETE", "/api/sessions/{session_id:path}/memory"): (
        CLIENT,
        "forget what agents remember of a session; an admin key names the tenant with `?tenant=`",
    ),
    ("GET", "/api/admin/tools"): ("admin", "each tool's capabilities, attempts, failures, and durations (p50, p95)"),
    ("POST", "/test/simple"): (NONE, "run a small job to its end; only where `ENABLE_TEST_ENDPOINT=true`"),
    ("GET", "/healthz"): (NONE, "the process lives"),
    ("GET", "/readyz"): (NONE, "agents are loaded and the store answers; else 503"),
}


class EndpointsDifferError(ValueError):
    """The routes and the lines of this file are not the same."""


def endpoint_table() -> str:
    """Return one row a route of the API."""
    settings = Settings()
    routes = list(methods_and_paths(api_routes(Container(settings, real_ports(settings)))))
    if set(routes) != set(WHAT):
        raise EndpointsDifferError(
            f"without a line in infra/docs/endpoint_table.py: {sorted(set(routes) - set(WHAT))};"
            f" without a route: {sorted(set(WHAT) - set(routes))}"
        )
    rows = ([f"`{method} {path}`", *reversed(WHAT[method, path])] for method, path in WHAT)
    return markdown_table(["endpoint", "what", "key"], rows)


def methods_and_paths(routes: Iterable[Route]) -> Iterable[tuple[str, str]]:
    """Give (method, path) of each route; HEAD comes with GET by itself and is left out."""
    for route in routes:
        for method in sorted((route.methods or set()) - {"HEAD"}):
            yield method, route.path
