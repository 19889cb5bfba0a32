"""Lets an app be served below the path of its public URL (`/api/v2`): the app itself is at the root.

Whether a proxy in between strips that path is not ours to say, so a request is served with it and without it.
"""

from starlette.types import ASGIApp, Receive, Scope, Send


class BasePath:
    """The middleware. `base`: the path before ours; empty for none."""

    def __init__(self, app: ASGIApp, base: str) -> None:
        self._app = app
        self._base = base

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, without the base in its path."""
        path: str = scope.get("path", "")
        if self._base and path.startswith(f"{self._base}/"):
            scope = {**scope, "path": path.removeprefix(self._base)}
        await self._app(scope, receive, send)
