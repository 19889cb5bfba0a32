"""The app with a meter for each request, until its answer has ended.

Must not: look at the request, or touch the answer.
"""

from starlette.types import ASGIApp, Receive, Scope, Send

from baton.runtime.metering import Metering


class MeteredApp:
    """Middleware around everything else."""

    def __init__(self, app: ASGIApp, metering: Metering) -> None:
        self._app = app
        self._metering = metering

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        async with self._metering.invocation():
            await self._app(scope, receive, send)
