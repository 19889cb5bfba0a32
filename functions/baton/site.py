"""What people and programs ask: API, console and pages, on one ASGI app, for the function behind an HTTP API.

Must not: serve webhooks by itself. An HTTP API ends a request after 30 s, and this function has no model libraries.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from baton.api.auth import Keys
from baton.api.metered_app import MeteredApp
from baton.api.problem import on_error
from baton.api.routes import api_routes
from baton.api.security_headers import browser_middleware
from baton.console.routes import console_routes
from baton.container import Container
from baton.entry import LazyApp, lambda_handler
from baton.hosting.base_path import BasePath
from baton.web.routes import web_routes
from baton_events.errors import BatonError


def build_site(container: Container) -> Starlette:
    """The app."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        with container.stopping.noticing():
            yield
        await container.stopping.work_is_given_back()
        await container.metering.tell()
        await container.close()

    keys = Keys(container)
    made = Starlette(
        routes=[
            *api_routes(container, keys),
            *console_routes(container, keys),
            *web_routes(container.settings),
        ],
        middleware=[
            Middleware(MeteredApp, metering=container.metering),
            Middleware(BasePath, base=container.settings.base_path),
            *browser_middleware(container.settings),
        ],
        exception_handlers={HTTPException: on_error, BatonError: on_error, Exception: on_error},
        lifespan=lifespan,
    )
    made.router.redirect_slashes = False  # a redirect would go wherever the request's Host header says
    return made


app = LazyApp(build_site)
handler = lambda_handler(app)
