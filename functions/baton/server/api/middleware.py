"""The middleware around every request: a meter until its answer has ended, and the headers that instruct browsers.

An answer that sets one of these headers itself, such as a page with its own content policy, keeps its own. Pure ASGI,
so that a stream stays one. Must not: look at a request's body, or touch an answer's.
"""

from collections.abc import Sequence

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from baton.settings.settings import Settings
from baton.worker.runtime.metering import Metering


class MeteredApp:
    """Middleware around everything else."""

    def __init__(self, app: ASGIApp, metering: Metering) -> None:
        self._app, self._metering = app, metering

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        async with self._metering.invocation():
            await self._app(scope, receive, send)


HEADERS = {
    # JSON shows nothing and loads nothing; a page sets a policy of its own.
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",  # for browsers that do not know frame-ancestors
    "referrer-policy": "no-referrer",  # addresses contain ids of jobs
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",  # a shared cache must not hold the data of a key
}
STRICT_TRANSPORT = "max-age=31536000"
_EXPOSED = ("retry-after", "x-vercel-ai-ui-message-stream", "content-disposition", "content-range", "accept-ranges")


class SecurityHeaders:
    def __init__(self, app: ASGIApp, *, https: bool, shared: bool) -> None:
        self._app = app
        headers = dict(HEADERS)
        if shared:  # else a browser would block requests that CORS allows
            headers["cross-origin-resource-policy"] = "cross-origin"
        self._secure_headers = [
            (name.encode(), value.encode())
            for name, value in {**headers, "strict-transport-security": STRICT_TRANSPORT}.items()
        ]
        self._headers = self._secure_headers if https else self._secure_headers[:-1]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the headers to an HTTP answer; everything else passes unchanged."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        headers = self._secure_headers if scope["scheme"] == "https" else self._headers

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = message.get("headers", ())
                set_already = {name.lower() for name, _ in own}
                message["headers"] = [*own, *(pair for pair in headers if pair[0] not in set_already)]
            await send(message)

        await self._app(scope, receive, with_headers)


def secured(app: ASGIApp, settings: Settings) -> SecurityHeaders:
    https = settings.worker_base_url.startswith("https://")
    return SecurityHeaders(app, https=https, shared=bool(settings.cors_origins))


def browser_middleware(settings: Settings) -> Sequence[Middleware]:
    headers = Middleware(secured, settings=settings)
    if not settings.cors_origins:
        return [headers]
    cors = Middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins.split(","),
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        # With a key in a header rather than a cookie, no request of another origin carries one by itself. Of the other
        # headers some are ours, and a page's own tracing adds more.
        allow_headers=["*"],
        expose_headers=list(_EXPOSED),
        max_age=600,
    )
    return [headers, cors]
