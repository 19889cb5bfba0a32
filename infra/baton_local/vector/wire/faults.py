"""Faults on demand in the answers of operations; only with `--faults`.

Invariant: the server's own paths are never struck.
"""

import asyncio
from http import HTTPStatus

from baton_local.stand_in.asgi import App, Event, Receive, Send
from baton_local.stand_in.fault_plan import FaultPlan, PlanForm, Strike
from baton_local.vector.wire.call import send_error
from baton_local.vector.wire.routes import ROUTES

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
        """The same application, struck as planned."""

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
