"""From which pages MCP may be called: those of this deployment, and of CORS_ORIGINS.

A page of another site could otherwise reach a server on its reader's machine, by a name that leads there.
"""

from urllib.parse import urlsplit

from starlette.requests import Request

from baton.api.problem import ApiError
from baton.settings.settings import Settings
from baton_events.setting import is_loopback


def check_origin(request: Request, settings: Settings) -> None:
    """Let a request pass that comes from no page, or from one that may.

    Raises:
        ApiError: 403.
    """
    origin = request.headers.get("origin")
    if origin is None or origin in settings.cors_origins.split(","):
        return
    own = settings.worker_base_url or str(request.base_url)
    if urlsplit(origin).netloc == urlsplit(own).netloc or (is_loopback(own) and is_loopback(origin)):
        return
    raise ApiError(403, f"a page of {origin[:80]!r} may not call this: name it in CORS_ORIGINS")
