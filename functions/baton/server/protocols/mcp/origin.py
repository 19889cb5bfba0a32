"""The pages that may call MCP: those of this deployment, and of CORS_ORIGINS.

Otherwise a page of another site could reach a server on the visitor's machine, by a host name that resolves to it.
"""

from urllib.parse import urlsplit

from starlette.requests import Request

from baton.server.api.problem import ApiError
from baton.settings.settings import Settings
from baton_events.setting import is_loopback


def check_origin(request: Request, settings: Settings) -> None:
    """Check that a request comes from no page, or from one that may call MCP.

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
