"""One line of the API's table of routes: its path, its access rule, its size limit, and its purpose.

Invariant: a route without a rule cannot be written. Only api/guard.py lets a caller in, before the endpoint runs. The
table is the one source of docs/reference/http.md and of the OpenAPI document.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote

from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

from baton.settings.limits import BODY_BYTES


class _AnyText(Convertor[str]):
    """`{name:any}`: any text, with slashes and line ends, as ids of sessions and persons and keys of budgets are."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("any", _AnyText())
_WRITTEN_SLASH = "\ud800"  # no path has it: it is none of UTF-8


class PathRoute(Route):
    """A route that knows a slash of an id (`%2F`) from one between parts, where the host says how a path was written.

    So `/api/sessions/a%2Fmemory` is the session `a/memory`, and not the memory of `a`. An HTTP API of Lambda does not.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return whether a request is for this route, and what its path holds."""
        match, child = super().matches(_slashes_marked(scope))
        params: dict[str, Any] = child.get("path_params", {})
        for name, value in params.items():
            params[name] = value.replace(_WRITTEN_SLASH, "/") if isinstance(value, str) else value
        return match, child


def _slashes_marked(scope: Scope) -> Scope:
    raw: bytes = scope.get("raw_path") or b""
    if b"%2f" not in raw.lower():
        return scope
    parts = [unquote(part).replace("/", _WRITTEN_SLASH) for part in raw.decode("latin-1").split("/")]
    path, whole = scope["path"], "/".join(parts)
    # What stands before our paths may be gone from the one, and not from the other.
    marked = whole[-len(path) :]
    return {**scope, "path": marked} if marked.replace(_WRITTEN_SLASH, "/") == path else scope


def without_body(answer: Response) -> Response:
    """Return the same status and headers without the body; a body that is made piece by piece is never begun."""
    head = Response(status_code=answer.status_code, background=answer.background)
    head.raw_headers = answer.raw_headers
    return head


# open: no key. client: a key of a tenant, or an admin's. admin: an admin's key. operations: `x-api-key`.
# metrics: an admin's key or METRICS_TOKEN, or no key where METRICS_PUBLIC=true.
# run: as client; a caller that comes back for the rest of a run (`Last-Event-ID`) counts as one that opens a stream.
# stream: as client, or a short-lived token in the query; the endpoint checks that the token covers what it opens.
# self: the endpoint authenticates by itself, since it takes no bearer key (a cookie, a short-lived token).
Access = Literal["open", "client", "run", "stream", "admin", "operations", "metrics", "self"]
Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class ApiRoute:
    """One endpoint.

    `what`: one line for people, in markdown. `body_limit_bytes`: a larger body is refused (413) before it is read to
    its end. `limit_setting`: the setting that this limit comes from, if any; a refusal names it.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    access: Access
    endpoint: Endpoint
    what: str
    body_limit_bytes: int = BODY_BYTES
    limit_setting: str = ""
