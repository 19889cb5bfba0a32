"""How a function's module becomes an ASGI app and a Lambda handler without opening anything when it is imported.

The container is built by the first request (or start-up) and kept for the life of the process.
"""

import asyncio
import gc
from collections.abc import Callable
from typing import Any, cast

from mangum import Mangum
from starlette.types import ASGIApp, Receive, Scope, Send

from baton.container import Container
from baton.hosting.lambda_end import answer_and_end
from baton.own_threads import OWN_THREADS
from baton.wiring import container_from_environment


class LazyApp:
    """An ASGI app that is built from the environment on first use."""

    def __init__(self, build: Callable[[Container], ASGIApp]) -> None:
        self._build = build
        self._app: ASGIApp | None = None
        self.container: Container | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or take part in the server's start and stop."""
        if self._app is None:
            self.container = container_from_environment()
            self._app = self._build(self.container)
            # Blocking work that a tool hands to the loop's threads must not keep name look-ups waiting for one.
            asyncio.get_running_loop().set_default_executor(OWN_THREADS)
            # What was imported and built stays as long as the process: the collector need not look at it each time.
            # Measured at 16 and 64 jobs at once: a tenth of the processor time of a step.
            gc.freeze()
        await self._app(scope, receive, send)


def lambda_handler(app: ASGIApp) -> Callable[[Any, Any], Any]:
    """A Lambda handler for an ASGI app; it is made by the first invocation."""
    made: list[Mangum] = []

    def handler(event: Any, context: Any) -> Any:
        if not made:
            # Mangum runs the app on the thread's event loop and needs one to be set (mangum 0.22).
            asyncio.set_event_loop(asyncio.new_event_loop())
            made.append(Mangum(cast("Any", app), lifespan="off"))
        answer = made[0](event, context)
        container = app.container if isinstance(app, LazyApp) else None
        if container is not None and (fault := container.running_calls.fault()):
            answer_and_end(container.settings.lambda_runtime_api, context.aws_request_id, answer, fault)
        return answer

    return handler
