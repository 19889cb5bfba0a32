"""What people and programs ask: API, console and pages, on one ASGI app, for the function behind an HTTP API.

Must not: serve webhooks by itself. An HTTP API ends a request after 30 s, and this function has no model libraries.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from events.errors import BatonError
from functions.api.auth import Keys
from functions.api.metered_app import MeteredApp
from functions.api.problem import on_error
from functions.api.routes import api_routes
from functions.api.security_headers import browser_middleware
from functions.base_path import BasePath
from functions.console.routes import console_routes
from functions.container import Container
from functions.entry import LazyApp, lambda_handler
from functions.web.routes import web_routes


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
