"""Everything on one ASGI app: `uvicorn baton.server.app:app`. Importing it opens nothing."""

from collections.abc import Mapping

from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

import baton.worker.quick_start  # noqa: F401 - before all that is ours
from baton.server.api.middleware import secured
from baton.server.site import build_site
from baton.worker.container import Container
from baton.worker.entry import LazyApp
from baton.worker.handlers import (
    agent_loop,
    app_events,
    delivery_failed,
    sweep,
    tool_executor,
    tool_result_complete,
    tool_result_failed,
)
from baton_events.schema import function_of

EVENT_SPECS = (agent_loop.SPEC, tool_executor.SPEC, tool_result_complete.SPEC, tool_result_failed.SPEC)
SPECS = (*EVENT_SPECS, app_events.SPEC, delivery_failed.SPEC, sweep.SPEC)


def webhook_apps(container: Container) -> dict[str, ASGIApp]:
    """Build the app of each webhook function, by its path, as the function alone serves it."""
    return {spec.path: container.endpoint(spec) for spec in SPECS}


class Mounted:
    """Webhooks as their functions serve them alone, without the site's routes; the site for everything else.

    `base`: the path of the public URL, which a proxy may have stripped or not.
    """

    def __init__(self, site: Starlette, webhooks: Mapping[str, ASGIApp], base: str) -> None:
        self.site = site
        self._apps, self._base = webhooks, base

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app_at(_path_in(scope)) if scope["type"] == "http" else self.site
        await app(scope, receive, send)

    def _app_at(self, path: str) -> ASGIApp:
        rest = path.removeprefix(self._base) if path.startswith(f"{self._base}/") else path
        return self._apps.get(function_of(rest)) or self._apps.get(function_of(path), self.site)


def _path_in(scope: Scope) -> str:
    """Return a request's path, below where a server or another app has mounted this one."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path.removeprefix(root) if root and path.startswith(f"{root}/") else path


def build_app(container: Container) -> Mounted:
    """Build the whole product as one app, for local use and for any ASGI host."""
    settings = container.settings
    webhooks = {path: secured(app, settings) for path, app in webhook_apps(container).items()}
    return Mounted(build_site(container), webhooks, settings.base_path)


app = LazyApp(build_app)
