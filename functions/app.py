"""Everything mounted on one ASGI app: `uvicorn functions.app:app`. Importing it opens nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route

from events.errors import BatonError
from functions.api.auth import Keys
from functions.api.problem import on_error
from functions.api.routes import api_routes
from functions.api.security_headers import browser_middleware
from functions.console.routes import console_routes
from functions.container import Container
from functions.entry import LazyApp
from functions.web.routes import web_routes
from functions.webhooks import (
    agent_loop,
    delivery_failed,
    sweep,
    tool_executor,
    tool_result_complete,
    tool_result_failed,
)

EVENT_SPECS = (agent_loop.SPEC, tool_executor.SPEC, tool_result_complete.SPEC, tool_result_failed.SPEC)
SPECS = (*EVENT_SPECS, delivery_failed.SPEC, sweep.SPEC)


def build_app(container: Container) -> Starlette:
    """The whole product on one app, for local use and for any ASGI host."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        await container.close()

    endpoints = {
        **{spec.path: container.endpoint(spec) for spec in EVENT_SPECS},
        delivery_failed.SPEC.path: container.delivery_failed(delivery_failed.SPEC),
        sweep.SPEC.path: container.sweep(sweep.SPEC),
    }
    keys = Keys(container)
    # The base may carry a path; whether a proxy in between strips it is not ours to say, so both are served.
    base = urlsplit(container.settings.worker_base_url).path
    webhooks = [Route(prefix + path, app) for path, app in endpoints.items() for prefix in dict.fromkeys(("", base))]
    made = Starlette(
        routes=[
            *webhooks,
            *api_routes(container, keys),
            *console_routes(container, keys),
            *web_routes(container.settings),
        ],
        middleware=browser_middleware(container.settings),
        exception_handlers={HTTPException: on_error, BatonError: on_error, Exception: on_error},
        lifespan=lifespan,
    )
    made.router.redirect_slashes = False  # a redirect would go wherever the request's Host header says
    return made


app = LazyApp(build_app)
