"""Faults on demand: which delivery is struck and how, and by how much the clock that signatures are made by is wrong.

Only with `--faults`, for tests of what destinations do then. Invariants: of the rules that fit a delivery the oldest
strikes and uses up one of its count; a rule that is used up is gone. A delivery that no rule fits is made as if this
were not here.
"""

import asyncio
import enum
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from baton_local.qstash.core.message import AttemptResult, OutgoingRequest


class Fault(enum.StrEnum):
    """What happens to a delivery."""

    DROP_ANSWER = "drop_answer"  # it is made, and its answer is lost: a failed attempt
    DELAY = "delay"  # it is made late
    DUPLICATE = "duplicate"  # it is made twice
    REORDER = "reorder"  # it waits for the others of its rule, and the last comes first
    ANSWER = "answer"  # it is not made, and counts as answered with a status; 0 is a broken connection


@dataclass(slots=True, eq=False)
class FaultRule:
    """One fault for some deliveries; `url` is how theirs begins, `count` how many are still to come."""

    fault: Fault
    url: str = ""
    count: int = 1
    seconds: float = 0.0
    status: int = 0


@dataclass(slots=True)
class FaultPlan:
    """What is still to happen, and how wrong the clock is that signatures are made by."""

    rules: list[FaultRule] = field(default_factory=list)
    clock_skew_seconds: int = 0

    def strike(self, url: str) -> FaultRule | None:
        """Return the rule for a delivery to this URL, if there is one."""
        rule = next((each for each in self.rules if url.startswith(each.url)), None)
        if rule is not None:
            rule.count -= 1
            if not rule.count:
                self.rules.remove(rule)
        return rule

    def drop(self, rule: FaultRule) -> None:
        if rule in self.rules:
            self.rules.remove(rule)

    def clear(self) -> None:
        self.rules.clear()
        self.clock_skew_seconds = 0

    def view(self) -> dict[str, Any]:
        return asdict(self)


Send = Callable[[OutgoingRequest], Awaitable[AttemptResult]]

_LOST = "the answer was lost (fault plan)"
_BROKEN = "the connection broke (fault plan)"


class FaultyDelivery:
    """A delivery function around another one."""

    def __init__(self, send: Send, plan: FaultPlan) -> None:
        self._send, self._plan = send, plan
        self._lines: dict[FaultRule, list[tuple[asyncio.Event, asyncio.Event]]] = {}  # when a turn comes, and is over
        self._letting_go: set[asyncio.Task[None]] = set()

    async def __call__(self, request: OutgoingRequest) -> AttemptResult:
        """Make one attempt, struck as planned."""
        rule = self._plan.strike(request.url)
        match rule.fault if rule else None:
            case Fault.ANSWER if rule is not None:
                return AttemptResult(rule.status) if rule.status else AttemptResult(error=_BROKEN)
            case Fault.DROP_ANSWER:
                await self._send(request)
                return AttemptResult(error=_LOST)
            case Fault.DUPLICATE:
                await self._send(request)
            case Fault.DELAY if rule is not None:
                await asyncio.sleep(rule.seconds)
            case Fault.REORDER if rule is not None:
                return await self._in_reverse(rule, request)
        return await self._send(request)

    async def _in_reverse(self, rule: FaultRule, request: OutgoingRequest) -> AttemptResult:
        """Wait for the others of the rule, or until its time is over; who came last goes first, the next after it."""
        turn, gone = asyncio.Event(), asyncio.Event()
        if rule not in self._lines:
            self._lines[rule] = []
            asyncio.get_running_loop().call_later(rule.seconds, self._begin, rule)
        self._lines[rule].append((turn, gone))
        if not rule.count:
            self._begin(rule)
        try:
            await turn.wait()
            return await self._send(request)
        finally:
            gone.set()

    def _begin(self, rule: FaultRule) -> None:
        task = asyncio.get_running_loop().create_task(self._let_go(rule))
        self._letting_go.add(task)
        task.add_done_callback(self._letting_go.discard)

    async def _let_go(self, rule: FaultRule) -> None:
        self._plan.drop(rule)
        line = self._lines.pop(rule, [])
        while line:
            turn, gone = line.pop()
            turn.set()
            await gone.wait()
