"""Everything mounted on one ASGI app: `uvicorn functions.app:app`. Importing it opens nothing."""

from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp

from functions.container import Container
from functions.entry import LazyApp
from functions.site import build_site
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


def webhook_apps(container: Container) -> dict[str, ASGIApp]:
    """The app of each webhook function, by its path: what each function is by itself."""
    return {
        **{spec.path: container.endpoint(spec) for spec in EVENT_SPECS},
        delivery_failed.SPEC.path: container.delivery_failed(delivery_failed.SPEC),
        sweep.SPEC.path: container.sweep(sweep.SPEC),
    }


def build_app(container: Container) -> Starlette:
    """The whole product on one app, for local use and for any ASGI host."""
    return build_site(container, [Route(path, app) for path, app in webhook_apps(container).items()])


app = LazyApp(build_app)
