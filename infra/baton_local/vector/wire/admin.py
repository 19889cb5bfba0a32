"""What the server has beside the hosted service's API: counters for cost tests; with `--faults`, faults on demand.

Invariants: the server's own paths are neither counted nor struck, so two readings in a row are equal. A dropped answer
belongs to a request that was carried out, as when a connection breaks after the server has acted; a refused one was
not.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from baton_local.stand_in.asgi import App, Event, Receive, Send
from baton_local.stand_in.fault_plan import FaultPlan, PlanForm, Strike
from baton_local.vector.core.errors import malformed, unknown
from baton_local.vector.engine import Engine
from baton_local.vector.wire.call import send_error
from baton_local.vector.wire.routes import ROUTES


@dataclass(slots=True)
class Counters:
    """Requests with a valid token, and the billable operations of those that succeeded."""

    http_requests: int = 0
    operations: Counter[str] = field(default_factory=Counter)

    def succeeded(self, operation: str, count: int) -> None:
        """Count what a request was."""
        if count:
            self.operations[operation] += count

    def report(self) -> dict[str, Any]:
        """Return the figures as answered."""
        return {
            "http_requests": self.http_requests,
            "operations": self.operations.total(),
            "operations_by_name": dict(sorted(self.operations.items())),
        }


FORM = PlanForm(
    {
        "refuse": "refuse",
        "drop_answers": "drop",
        "delay_seconds": "delay_seconds",
        "delay_answers": "delay",
        "operations": "only",
    }
)


class Faults:
    """The current plan, and how it strikes an application."""

    def __init__(self) -> None:
        self.plan = FaultPlan()

    def around(self, app: App) -> App:
        """Return the application with the planned faults around it."""

        async def struck(scope: Event, receive: Receive, send: Send) -> None:
            operation = scope["raw_path"].lstrip(b"/").partition(b"/")[0].decode("latin-1")
            strike = self.plan.next_strike((operation,)) if operation in ROUTES else None
            if strike is Strike.REFUSE:
                message = "refused by the fault plan (POST /admin/faults); the request was not executed"
                await send_error(send, HTTPStatus.SERVICE_UNAVAILABLE, message)
            elif strike is Strike.DROP:
                await app(scope, receive, _dropped)
                raise asyncio.CancelledError  # no answer: the server breaks the connection off
            else:
                await app(scope, receive, self._delayed(send) if strike is Strike.DELAY else send)

        return struck

    def _delayed(self, send: Send) -> Send:
        delay_seconds = self.plan.delay_seconds

        async def delayed(event: Event) -> None:
            if event["type"] == "http.response.start":
                await asyncio.sleep(delay_seconds)
            await send(event)

        return delayed


async def _dropped(_event: Event) -> None:
    """Lose a part of an answer."""


class Admin:
    """The server's own paths."""

    def __init__(self, engine: Engine, counters: Counters, faults: Faults | None) -> None:
        self._engine = engine
        self._counters = counters
        self._faults = faults
        self._paths: Mapping[bytes, Callable[[str, bytes], dict[str, Any]]] = {
            b"/admin/counters": self._count,
            b"/admin/faults": self._plan,
        }

    def serves(self, path: bytes) -> bool:
        """Return whether the path is one of them."""
        return path in self._paths

    def respond(self, method: str, path: bytes, body: bytes) -> dict[str, Any]:
        """Answer a request."""
        return self._paths[path](method, body)

    def _count(self, _method: str, _body: bytes) -> dict[str, Any]:
        now_ms = self._engine.surroundings.now_ms()
        return {**self._counters.report(), "open_resumable_queries": self._engine.resumable.count(now_ms)}

    def _plan(self, method: str, body: bytes) -> dict[str, Any]:
        """Set the plan at a POST; show what is left of it at anything else."""
        if self._faults is None:
            raise unknown("faults are off; start the server with --faults")
        if method == "POST":
            try:
                self._faults.plan = FORM.read(body)
            except ValueError as error:
                raise malformed(str(error)) from None
        return FORM.render(self._faults.plan)
