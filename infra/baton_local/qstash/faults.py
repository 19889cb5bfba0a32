"""Faults on demand: which delivery is struck and how, and the clock that signatures are made by, skewed.

Only with `--faults`, for tests of what destinations do then. Invariants: of the rules that fit a delivery the oldest
strikes and uses up one of its count; a rule that is used up is gone. A delivery that no rule fits is made as if this
were not here.
"""

import asyncio
import enum
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from baton_local.qstash.clock import Cancellable, Clock
from baton_local.qstash.core.message import AttemptResult, OutgoingRequest


class Fault(enum.StrEnum):
    """What happens to a delivery."""

    DROP_ANSWER = "drop_answer"  # it is made, and its answer is lost: a failed attempt
    DELAY = "delay"  # it is made late
    DUPLICATE = "duplicate"  # it is made twice
    REORDER = "reorder"  # it waits for the others of its rule, and the last comes first
    ANSWER = "answer"  # it is not made, and counts as answered with a status; 0 is a broken connection


@dataclass(slots=True, eq=False, weakref_slot=True)
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
        self._lines: WeakKeyDictionary[FaultRule, _Line] = WeakKeyDictionary()

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
        """Wait for the others of the rule, or until its time is over; who came last goes first."""
        line = self._lines.get(rule)
        if line is None:
            line = self._lines[rule] = _Line()
            asyncio.get_running_loop().call_later(rule.seconds, self._give_up, rule, line)
        if not rule.count:
            line.complete = True
        return await line.pass_through(lambda: self._send(request))

    def _give_up(self, rule: FaultRule, line: "_Line") -> None:
        self._plan.drop(rule)
        line.let_go()


class _Line:
    """Deliveries that leave one after the other, the last comer first."""

    def __init__(self) -> None:
        self.complete = False
        self._turns: list[asyncio.Event] = []
        self._moving = False

    async def pass_through(self, send: Callable[[], Awaitable[AttemptResult]]) -> AttemptResult:
        """Wait for the turn, deliver, give the turn on."""
        turn = asyncio.Event()
        self._turns.append(turn)
        if self.complete:
            self.let_go()
        try:
            await turn.wait()
            return await send()
        finally:
            if turn in self._turns:  # given up before its turn
                self._turns.remove(turn)
            else:
                self._give_turn()

    def let_go(self) -> None:
        """Begin, unless it has begun."""
        if not self._moving:
            self._moving = True
            self._give_turn()

    def _give_turn(self) -> None:
        if self._turns:
            self._turns.pop().set()


class SkewedClock:
    """A clock that is wrong by as much as the plan says."""

    def __init__(self, clock: Clock, plan: FaultPlan) -> None:
        self._clock, self._plan = clock, plan

    def now_ms(self) -> int:
        return self._clock.now_ms() + self._plan.clock_skew_seconds * 1_000

    def call_at(self, at_ms: int, callback: Callable[[], None]) -> Cancellable:
        """Call back at that wrong time."""
        return self._clock.call_at(at_ms - self._plan.clock_skew_seconds * 1_000, callback)
