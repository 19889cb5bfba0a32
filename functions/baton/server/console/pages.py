"""Templates to responses: one environment with autoescape on, and the headers that every page carries.

Invariant: no page has a script or a style of its own (`default-src 'none'` and files of this host only). So even a text
that slipped through as markup would run nothing.
"""

import hashlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from baton.server.api.problem import ApiError
from baton.server.console import shown

if TYPE_CHECKING:
    from jinja2 import Environment

_STATIC = files("baton.server.console") / "static"
_STATIC_TYPES = {"console.css": "text/css", "console.js": "text/javascript", "icon.svg": "image/svg+xml"}
CONTENT_SECURITY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": CONTENT_SECURITY,
    "cache-control": "no-store",
    "referrer-policy": "same-origin",  # without any referrer, browsers would not send a form's origin
    "x-content-type-options": "nosniff",
}
_LASTING = "public, max-age=31536000, immutable"


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - of an extra

    made = Environment(
        loader=PackageLoader("baton.server.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {name: getattr(shown, name) for name in shown.FILTERS.split()}
    made.globals["static"] = static_path
    made.globals["ui"] = made.get_template("_macros.html").module
    return made


def render(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(values)


def page(template: str, status: int = 200, **values: Any) -> Response:
    return HTMLResponse(render(template, **values), status, HEADERS)


@cache
def _static_file(name: str) -> tuple[bytes, str]:
    content = (_STATIC / name).read_bytes()
    return content, hashlib.sha256(content).hexdigest()[:12]


def static_path(name: str) -> str:
    """Return a static file's path; new content gets a new path, so a browser may keep the file forever."""
    return f"/console/static/{_static_file(name)[1]}/{name}"


async def static_file(request: Request) -> Response:
    """Serve a static file; a browser may keep it forever where the path is that of this very content."""
    name = request.path_params["name"]
    if name not in _STATIC_TYPES:
        raise ApiError(404, f"there is no file {name!r}; the console has {', '.join(_STATIC_TYPES)}")
    content, version = _static_file(name)
    lasting = _LASTING if request.path_params["version"] == version else "no-store"
    return Response(
        content, headers={"cache-control": lasting, "x-content-type-options": "nosniff"}, media_type=_STATIC_TYPES[name]
    )
