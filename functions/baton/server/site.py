"""The site for people and programs: API, console and pages, on one ASGI app, for the function behind an HTTP API.

The app is at the root, and is also served below the path of its public URL (`/api/v2`). A proxy may strip that path or
not, so a request is answered with it and without it.
"""

from asyncio import create_task, wait
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

import baton.worker.quick_start  # noqa: F401 - before all that is ours
from baton.observability.error_reports import send_reports
from baton.sdk.distribution import require_extra
from baton.sdk.records.own_threads import in_own_thread
from baton.server.api.admin.control import start_with_the_app
from baton.server.api.auth import Keys
from baton.server.api.middleware import MeteredApp, browser_middleware
from baton.server.api.problem import on_error
from baton.server.console.routes import console_routes
from baton.server.routes import api_routes
from baton.server.web.routes import web_routes
from baton.worker.container import Container
from baton.worker.entry import LambdaHandler, LazyApp
from baton.worker.runtime.gone_agents import warn_of_gone_agents
from baton_events.errors import BatonError


class BasePath:
    """The middleware. `base`: the path before ours; empty for none. `own`: with what our paths begin."""

    def __init__(self, app: ASGIApp, base: str, own: Collection[str]) -> None:
        self._app, self._base, self._own = app, base, own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a request without the base in its path."""
        path: str = scope.get("path", "")
        if self._base and path.startswith(f"{self._base}/"):
            rest = path.removeprefix(self._base)
            # A base such as `/api` begins as our own paths do, and a proxy may have stripped it.
            if _begins(rest) in self._own or _begins(path) not in self._own:
                scope = {**scope, "path": rest}
        await self._app(scope, receive, send)


def _begins(path: str) -> str:
    return path.split("/", 2)[1]


_START_SECONDS = 1.0


@asynccontextmanager
async def _pumping(container: Container) -> AsyncIterator[None]:
    """Deliver the queue's messages for the time of the block, where it is in the store: QStash does it itself."""
    make, settings = getattr(container.ports.queue, "pump", None), container.settings
    if make is None or settings.lambda_runtime_api or not settings.pumps:
        yield
        return
    running = create_task(make(lambda: container.stopping.begun).run())
    try:
        yield
    finally:
        running.cancel()
        await wait({running})


def build_site(container: Container) -> Starlette:
    """Build the app, or refuse where the extra `site` is not installed."""
    require_extra("site", "the site (API and console)")

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        if container.settings.enable_agent_worker:
            await start_with_the_app(container)
        warning = create_task(warn_of_gone_agents(container.registry, container.ports.admission_control))
        await wait({warning}, timeout=_START_SECONDS)  # a store that does not answer holds up no start
        with container.stopping.noticing():
            async with _pumping(container):
                yield
        warning.cancel()
        await container.stopping.work_is_given_back()
        await container.metering.flush()
        await container.close()
        await in_own_thread(send_reports)

    keys = Keys(container)
    routes = [*api_routes(container, keys), *console_routes(container, keys), *web_routes(container, keys)]
    own = {_begins(route.path) for route in routes if isinstance(route, Route)}
    made = Starlette(
        routes=routes,
        middleware=[
            Middleware(MeteredApp, metering=container.metering),
            Middleware(BasePath, base=container.settings.base_path, own=own),
            *browser_middleware(container.settings),
        ],
        exception_handlers={HTTPException: on_error, BatonError: on_error, Exception: on_error},
        lifespan=lifespan,
    )
    made.router.redirect_slashes = False  # a redirect would lead wherever the request's Host header points
    return made


app = LazyApp(build_site)
handler = LambdaHandler(app)
