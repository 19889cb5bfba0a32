"""The state machine alone, in virtual time, with a destination that answers from a script."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from baton_local.qstash.core.answer import Answer, Request
from baton_local.qstash.core.commands.messages import cancel_message
from baton_local.qstash.core.commands.publishing import Publish, publish
from baton_local.qstash.core.destinations import parse_destination
from baton_local.qstash.core.limits import Limits
from baton_local.qstash.core.machine import Command, P, apply, end_attempt, tick
from baton_local.qstash.core.message import AttemptResult, Event
from baton_local.qstash.core.queues import Capacity
from baton_local.qstash.core.state import Change, Deliver, RunIds, SigningKeys, State, Tenant, Transition
from baton_local.qstash.wire.routes import Router
from baton_local.stand_in.api_error import ApiError

ROUTER = Router()
START_MS = 1_700_000_000_000
USER = "defaultUser"
URL = "https://example.com/hook"

OK = AttemptResult(200, {}, b"ok")
FAILURE = AttemptResult(500, {"Content-Type": ["text/plain"]}, b"no")


def status(code: int, **headers: str) -> AttemptResult:
    """A response with this status; `Retry_After="5"` becomes `Retry-After: 5`."""
    return AttemptResult(code, {name.replace("_", "-"): [value] for name, value in headers.items()}, b"")


def refused(call: Callable[..., object], *arguments: Any, **options: Any) -> int:
    with pytest.raises(ApiError) as refusal:
        call(*arguments, **options)
    return refusal.value.status


class World:
    """Commands in, deliveries out; time moves only by `advance`."""

    def __init__(self, **limits: Any) -> None:
        tenants = {user: Tenant(user, SigningKeys("k1", "k2", ("k1", "k2"))) for user in (USER, "other")}
        bounds = Limits(**limits)
        self.state = State(bounds, RunIds("run"), tenants, Capacity(bounds.max_in_flight))
        self.now_ms = START_MS
        self.in_flight: list[Deliver] = []
        self.delivered: list[Deliver] = []
        self.changes: list[Change] = []
        self.answer: Callable[[Deliver], AttemptResult] = lambda _effect: OK

    @property
    def tenant(self) -> Tenant:
        return self.state.tenants[USER]

    @property
    def events(self) -> list[Event]:
        return [change for change in self.changes if isinstance(change, Event)]

    def states(self, message_id: str) -> list[str]:
        return [event.state.value for event in self.events if event.message.id == message_id]

    def do(self, command: Command[P], *arguments: P.args, **options: P.kwargs) -> Answer:
        """Carry out a command of `USER`; deliveries wait in `in_flight`."""
        answer, step = apply(self.state, self.now_ms, USER, command, *arguments, **options)
        self._take(step)
        return answer

    def call(self, line: str, body: Any = None) -> Answer:
        """Do what a method and a path, with its query, ask the state machine for; `POST /v2/queues/q/pause`."""
        method, path, query = re.fullmatch(r"(\S+) ([^ ?]+)\??(.*)", line).groups()  # type: ignore[union-attr]  # ours
        route, params = ROUTER.match(method, path)
        assert route.command is not None
        request = Request(params, query, body=b"" if body is None else json.dumps(body).encode())
        return self.do(route.command, request)

    def cancel(self, message_id: str) -> Answer:
        return self.do(cancel_message, Request({"id": message_id}))

    def group(self, *endpoints: dict[str, str]) -> None:
        self.call("POST /v2/topics/g/endpoints", {"endpoints": endpoints})

    def publish(
        self,
        destination: str = URL,
        body: bytes | None = b"hello",
        *,
        queue: str | None = None,
        user: str = USER,
        **headers: str,
    ) -> Answer:
        """Publish; `upstash_delay="5s"` becomes the header `upstash-delay: 5s`."""
        lower = {name.lower().replace("_", "-"): [value] for name, value in headers.items()}
        given = Publish(parse_destination(destination), lower, body, "10.0.0.1", queue)
        answer, step = apply(self.state, self.now_ms, user, publish, given)
        self._take(step)
        return answer

    def publish_id(self, destination: str = URL, body: bytes | None = b"hello", **options: Any) -> str:
        return str(self.publish(destination, body, **options).body["messageId"])

    def finish(self, effect: Deliver, result: AttemptResult) -> None:
        self.in_flight.remove(effect)
        self.delivered.append(effect)
        message, now_ms = effect.message, self.now_ms
        self._take(apply(self.state, now_ms, message.user, end_attempt, message.id, effect.retried, result)[1])

    def settle(self) -> None:
        """All deliveries come back, as `answer` says, also those that follow from them."""
        while self.in_flight:
            self.finish(self.in_flight[0], self.answer(self.in_flight[0]))

    def advance(self, seconds: float) -> None:
        end_ms = self.now_ms + int(seconds * 1_000)
        self.settle()
        while (at_ms := self.state.next_wakeup_ms()) is not None and at_ms <= end_ms:
            self.now_ms = max(self.now_ms, at_ms)
            self._take(tick(self.state, self.now_ms))
            self.settle()
        self.now_ms = end_ms

    def delivered_ids(self) -> list[str]:
        return [effect.message.id for effect in self.delivered]

    def _take(self, step: Transition) -> None:
        self.changes += step.changes
        self.in_flight += step.effects
