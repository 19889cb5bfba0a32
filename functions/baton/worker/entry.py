"""A function's module as an ASGI app and a Lambda handler, and the end of its process.

Invariant: importing a function's module opens nothing. A process that must be replaced ends after its answer: Lambda
accepts an answer at its Runtime API from any process, and starts a new process where the old one has ended.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import asyncio
import gc
import json
import logging
import os
from collections.abc import Callable
from functools import cached_property
from http.client import HTTPConnection, HTTPException
from typing import Any, cast

from mangum import Mangum
from mangum.types import LambdaHandler as Gateway
from starlette.types import ASGIApp, Receive, Scope, Send

from baton.observability.error_reports import send_reports
from baton.sdk.records.own_threads import OWN_THREADS
from baton.store.transport.bodies import STOPPING
from baton.worker.container import Container
from baton.worker.wiring import container_from_environment

_log = logging.getLogger("baton.lambda")

# In the scope of a request whose answer Lambda streams: the time (ms) by which the answer must have ended.
UNTIL_MS = "baton.until_ms"
_TIMEOUT_SECONDS = 5.0


def answer_and_end(runtime_api: str, request_id: str, answer: Any, reason: str) -> None:
    """Answer the invocation, send the error reports, and end the process; return if the answer is not accepted."""
    _log.error("this process ends after its answer: %s", reason)
    if _is_accepted(runtime_api, request_id, json.dumps(answer).encode()):
        send_reports()  # Lambda freezes a process only when it asks for its next event
        logging.shutdown()
        os._exit(1)  # nothing else ends a process in which threads hang


def _is_accepted(runtime_api: str, request_id: str, body: bytes) -> bool:
    connection = HTTPConnection(runtime_api, timeout=_TIMEOUT_SECONDS)
    try:
        path = f"/2018-06-01/runtime/invocation/{request_id}/response"
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        _log.warning("the process continues: Lambda did not accept its answer: %s", error)
        return False
    finally:
        connection.close()
    if status != 202:  # noqa: PLR2004 - "Accepted", the one that Lambda's page names
        _log.warning("the process continues: Lambda answered %d to its answer", status)
        return False
    return True


class LazyApp:
    """An ASGI app that is built from the environment on first use. Garbage is collected from here on.

    What is imported by now is never looked at: to scan it once is a sixth of a start.
    """

    def __init__(self, build: Callable[[Container], ASGIApp]) -> None:
        gc.freeze()
        gc.enable()
        self._build = build
        self._app: ASGIApp | None = None
        self.container: Container | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or handle the server's start and stop."""
        if self._app is None:
            self.container = container_from_environment()
            self._app = self._build(self.container)
            # Blocking work that a tool gives the loop's threads must not make name look-ups wait for one.
            asyncio.get_running_loop().set_default_executor(OWN_THREADS)
            # Imported and built objects live as long as the process: the collector need not scan them each time.
            # Measured at 16 and 64 jobs at once: a tenth of the processor time of a step.
            gc.freeze()
        if self.container is not None:
            scope[STOPPING] = self.container.stopping
        await self._app(scope, receive, send)


class _Adapter(Mangum):
    def infer(self, event: Any, context: Any) -> Gateway:
        from baton.worker.lambda_requests import brought_request  # noqa: PLC0415 - other hosts bring no events

        return cast("Gateway", brought_request(event, context, self.config))


class LambdaHandler:
    """A Lambda handler for an ASGI app. `loop`: runs the app every time; nothing is made before the first use."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    @cached_property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop, which connections are bound to."""
        return asyncio.new_event_loop()

    @cached_property
    def _adapter(self) -> Mangum:
        # Mangum runs the app on the thread's event loop and needs one to be set (mangum 0.22).
        asyncio.set_event_loop(self.loop)
        return _Adapter(cast("Any", self.app), lifespan="off")

    def __call__(self, event: Any, context: Any) -> Any:
        """Return the whole answer to one event.

        Raises NoRequestError: the event is no HTTP request. RuntimeError: code of the app wanted to end the process.
        """
        try:
            answer = self._adapter(event, context)
        except SystemExit as error:  # Lambda's runtime would end with it, and report nothing
            raise RuntimeError(f"the app wanted to end its process, with {error.code!r}") from error
        container = self.app.container if isinstance(self.app, LazyApp) else None
        if container is not None and (fault := container.running_calls.fault()):
            answer_and_end(container.settings.lambda_runtime_api, context.aws_request_id, answer, fault)
        return answer
