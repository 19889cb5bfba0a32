"""Faults on demand, for tests of what callers do then: refused requests, late answers, lost answers.

Only with `--faults`. Invariant: a dropped answer belongs to a request that was carried out, as when a connection
breaks after the server has acted; a refused one was not. The server's own paths are never struck.
"""

import asyncio
from collections.abc import MutableMapping
from dataclasses import asdict, dataclass
from enum import Enum
from http import HTTPStatus
from typing import Any

from baton_local.vector.core.errors import malformed
from baton_local.vector.wire.asgi import AsgiApp, Receive, Scope, Send, send_error
from baton_local.vector.wire.fields import an_object, shown
from baton_local.vector.wire.routes import ROUTES


class Strike(Enum):
    """What happens to one request."""

    REFUSE = "refuse"
    DROP = "drop"
    DELAY = "delay"


@dataclass(slots=True)
class FaultPlan:
    """What is still to happen. Empty `operations` means any; `delay_answers` None means until the plan is replaced."""

    refuse: int = 0
    drop_answers: int = 0
    delay_seconds: float = 0.0
    delay_answers: int | None = None
    operations: tuple[str, ...] = ()

    def next_strike(self, operation: str) -> Strike | None:
        """The fault for a request of this operation; one of the planned ones is used up."""
        if self.operations and operation not in self.operations:
            return None
        if self.refuse > 0:
            self.refuse -= 1
            return Strike.REFUSE
        if self.drop_answers > 0:
            self.drop_answers -= 1
            return Strike.DROP
        if self.delay_seconds <= 0 or self.delay_answers == 0:
            return None
        if self.delay_answers is not None:
            self.delay_answers -= 1
        return Strike.DELAY

    def as_record(self) -> dict[str, Any]:
        """What is left of it, as answered."""
        return asdict(self)


def plan_of(value: Any) -> FaultPlan:
    """The plan that the body of `POST /admin/faults` writes."""
    plan = FaultPlan()
    known = plan.as_record()
    for name, field in an_object(value, "the fault plan").items():
        if name not in known:
            raise malformed(f"unknown fault {name!r}; known are {', '.join(known)}")
        setattr(plan, name, _checked(name, field))
    return plan


def _checked(name: str, value: Any) -> Any:
    if name == "operations":
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        raise malformed(f"operations: must be an array of names such as upsert, not {shown(value)}")
    if value is None and name == "delay_answers":
        return None
    allowed = (int, float) if name == "delay_seconds" else (int,)
    if isinstance(value, bool) or not isinstance(value, allowed) or value < 0:
        raise malformed(f"{name}: must be a number, zero or more, not {shown(value)}")
    return value


class Faults:
    """The current plan, and how it strikes an application."""

    def __init__(self) -> None:
        self.plan = FaultPlan()

    def around(self, app: AsgiApp) -> AsgiApp:
        """The same application, struck as planned."""

        async def struck(scope: Scope, receive: Receive, send: Send) -> None:
            operation = scope["raw_path"].lstrip(b"/").partition(b"/")[0].decode("latin-1")
            strike = self.plan.next_strike(operation) if operation in ROUTES else None
            if strike is Strike.REFUSE:
                message = "refused by the fault plan (POST /admin/faults); the request was not executed"
                await send_error(send, HTTPStatus.SERVICE_UNAVAILABLE, message)
            elif strike is Strike.DROP:
                await app(scope, receive, _without_body(send))
            else:
                await app(scope, receive, self._delayed(send) if strike is Strike.DELAY else send)

        return struck

    def _delayed(self, send: Send) -> Send:
        delay_seconds = self.plan.delay_seconds

        async def delayed(event: MutableMapping[str, Any]) -> None:
            if event["type"] == "http.response.start":
                await asyncio.sleep(delay_seconds)
            await send(event)

        return delayed


def _without_body(send: Send) -> Send:
    """An answer that never gets to its body: the server then breaks the connection off."""

    async def cut(event: MutableMapping[str, Any]) -> None:
        if event["type"] == "http.response.start":
            await send(event)

    return cut
