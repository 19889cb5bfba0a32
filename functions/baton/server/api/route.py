"""One line of the API's table of routes: its path, its access rule, its size limit, and its purpose.

Invariant: a route without a rule cannot be written. Only api/guard.py lets a caller in, before the endpoint runs. The
table is the one source of docs/reference/http.md and of the OpenAPI document.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response

from baton.settings.limits import BODY_BYTES


class _AnyText(Convertor[str]):
    """`{name:any}`: any text, with slashes and line ends, as ids of sessions and persons and keys of budgets are."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        """Return the text."""
        return value

    def to_string(self, value: str) -> str:
        """Return the text."""
        return value


register_url_convertor("any", _AnyText())


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

    Attributes:
        what: one line for people, in markdown.
        body_limit_bytes: a larger body is refused (413) before it is read to its end.
        limit_setting: the setting that this limit comes from, if any; a refusal names it.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    access: Access
    endpoint: Endpoint
    what: str
    body_limit_bytes: int = BODY_BYTES
    limit_setting: str = ""
