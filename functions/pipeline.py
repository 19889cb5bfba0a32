"""The one shell: BEGIN → decide → at most one piece of work → decide → COMMIT → hand on, for every event type alike.

Invariant: before a message is acknowledged (this returns), whatever it carries has been handed on; anything raised
leaves it un-acknowledged, and its redelivery does the same. No branch here depends on the event type.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from events.core.decide import decide
from events.core.effects import Alert, Changes, Decision, Effect, Expect, Work
from events.core.expected import event_of
from events.core.happenings import Happening, Started
from events.core.legs import Leg, LegKind, leg_key_of
from events.core.parts import step_started
from events.emitter import Emitter
from events.errors import UnknownJobError
from events.ports import Begun, Claim, Clock, History, Randomness, Spent, Store, Verdict
from events.schema import AgentToolCall, Event, ToolPayload
from functions.delivery import Delivered, Outcome
from functions.facts import Facts
from functions.handing_on import CLOCK_ERROR_MS, again_at_ms, delivery, drive_of, hand_on, postpone
from functions.tracing import leg_begun, leg_ended

_log = logging.getLogger("baton.pipeline")

# A lease outlives the work by this much, so that a late COMMIT still finds its claim.
LEASE_MARGIN_MS = 10_000
# What became of a wish for which there is no slot: its job is told once there is one.
IN_LINE = "waits for a slot"


# Performs what follows a COMMIT besides its legs; never raises.
Aftermath = Callable[[Sequence[Effect]], Awaitable[None]]


class Performer(Protocol):
    """Does one kind of work; whatever goes wrong in foreign code is a happening, never raised."""

    async def __call__(self, effect: Work, history: History, claim: Claim) -> Happening | None:
        """Do the work. None: nothing happened yet, and the leg stays until somebody tells it again."""
        ...


@dataclass(frozen=True, slots=True)
class Policy:
    """How a pipeline works: the limit of one piece of work, and what it may continue in place, for how long."""

    work_limit_ms: int
    inline: bool = False
    continues: frozenset[LegKind] = frozenset()
    guard_ms: int = 120_000


@dataclass(frozen=True, slots=True)
class _Step:
    """A leg to handle now: named by its event, the first time, or carried over, in place."""

    leg_key: str
    call_id: str
    event: Event
    wish: bool = False


class Pipeline:
    """Handles delivered events. `performers`: which kinds of work this function can do."""

    def __init__(
        self,
        store: Store,
        emitter: Emitter,
        clock: Clock,
        randomness: Randomness,
        performers: Mapping[type[Effect], Performer],
        facts: Facts,
        afterwards: Aftermath,
        policy: Policy,
    ) -> None:
        self._store = store
        self._emitter = emitter
        self._clock = clock
        self._randomness = randomness
        self._performers = performers
        self._facts = facts
        self._afterwards = afterwards
        self._policy = policy

    async def handle(self, delivered: Delivered) -> Outcome:
        """Handle one delivered event.

        Raises:
            BatonError: the message must not be acknowledged.
        """
        run = _Run(delivered, self._randomness.token(), self._clock.now_ms() + self._policy.guard_ms)
        told = await self._facts.witness(delivered.event, delivered.message_id)
        if told is None:
            run.todo.append(run.first)
        else:
            run.words.append("told")
            await self._hand_on(run, told, crosses=False)
        while run.todo:
            step = run.todo.pop(0)
            if step is not run.first and self._clock.now_ms() >= run.guard_until_ms:
                await self._stop(run, [step, *run.todo])
                break
            word, carried = await self._handle_leg(run, step)
            run.words.append(word)
            again = run.done_before(step.leg_key, word)
            if again or (step.wish and word != IN_LINE):
                run.forget_handed_on()
            await self._hand_on(run, carried, crosses=step.wish)
        return Outcome(run.words[0], run.handed_on)

    async def _stop(self, run: "_Run", steps: list[_Step]) -> None:
        """The time guard: what was to be continued in place is published."""
        await self._emitter.emit_many([delivery(step.event, 0, run.drive) for step in steps])
        run.handed_on += len(steps)

    async def _handle_leg(self, run: "_Run", step: _Step) -> tuple[str, tuple[Leg, ...]]:
        now_ms = self._clock.now_ms()
        claim = Claim(
            job_id=step.event.job_id,
            leg_key=step.leg_key,
            message_id=run.delivered.message_id,
            owner=run.owner,
            now_ms=now_ms,
            lease_until_ms=now_ms + self._policy.work_limit_ms + LEASE_MARGIN_MS,
            call_id=step.call_id,
            part=announced(step.event),
        )
        begun = await self._store.begin(claim)
        match begun.verdict:
            case Verdict.UNKNOWN:
                raise UnknownJobError(f"job {claim.job_id} is not known (yet); its submission may still be told again")
            case Verdict.GRANTED:
                return await self._do(run, claim, begun)
            case Verdict.BUSY | Verdict.EARLY:
                await postpone(self._emitter, step.event, again_at_ms(begun.free_at_ms, now_ms), run.drive)
        return begun.verdict, tuple(leg for leg in begun.carried if leg.key != step.leg_key)

    async def _do(self, run: "_Run", claim: Claim, begun: Begun) -> tuple[str, tuple[Leg, ...]]:
        state = begun.state
        if state is None:
            raise ValueError("a granted BEGIN comes with a state")
        leg_begun(claim, state)
        decision = decide(state, Started(), self._clock.now_ms())
        if decision.changes is None:
            happened = await self._work(decision, begun.history, claim)
            if happened is None:
                leg_ended(IN_LINE, begun.carried)
                return IN_LINE, begun.carried
            decision = decide(state, happened, self._clock.now_ms())
        changes = decision.changes or Changes()
        spent = Spent(messages=run.count_message(), requests=1, commands=begun.commands)
        claim = replace(claim, now_ms=self._clock.now_ms(), run=state.job.run)
        committed = await self._store.commit(claim, changes, spent)
        if committed.applied:
            await self._afterwards(decision.effects)
        word = "done" if committed.applied else "overtaken"
        _log.debug("%s of %s: %s", state.leg.key, claim.message_id, word)
        leg_ended(word, committed.carried)
        return word, committed.carried

    async def _work(self, decision: Decision, history: History, claim: Claim) -> Happening | None:
        work = next(effect for effect in decision.effects if not isinstance(effect, Alert | Expect))
        performer = self._performers.get(type(work))
        if performer is None:
            raise ValueError(f"this function cannot do {type(work).__name__}: its event belongs to another endpoint")
        return await performer(work, history, claim)

    async def _hand_on(self, run: "_Run", legs: tuple[Leg, ...], *, crosses: bool) -> None:
        """Continue in place what may be, publish the rest; each leg once.

        What goes to the admission or comes from it (`crosses`) continues in place in both modes: it needs no hop.
        """
        now_ms = self._clock.now_ms()
        publish: list[Leg] = []
        for leg in legs:
            if leg.key in run.seen or run.is_under_way(leg, now_ms):
                continue
            run.seen.add(leg.key)
            if self._may_continue(run, leg, now_ms, crosses=crosses):
                run.todo.append(_Step(leg.key, leg.call_id, event_of(run.session_id, leg), leg.kind is LegKind.WISH))
            else:
                publish.append(leg)
                run.later[leg.key] = leg.free_at_ms()
        run.handed_on += await hand_on(self._emitter, run.session_id, publish, run.drive)

    def _may_continue(self, run: "_Run", leg: Leg, now_ms: int, *, crosses: bool) -> bool:
        # A redelivered message publishes, so that progress gets fresh retries.
        fresh = run.delivered.retried == 0 and now_ms < run.guard_until_ms and leg.free_at_ms() <= now_ms
        if leg.kind is LegKind.WISH:
            return fresh
        return fresh and (self._policy.inline or crosses) and leg.kind in self._policy.continues


class _Run:
    """What one invocation keeps while it handles one message; gone with it."""

    def __init__(self, delivered: Delivered, owner: str, guard_until_ms: int) -> None:
        event = delivered.event
        call_id = event.payload.call_id if isinstance(event.payload, ToolPayload) else ""
        self.delivered = delivered
        self.owner = owner
        self.guard_until_ms = guard_until_ms
        self.session_id = event.session_id
        self._rounds = 0
        key = leg_key_of(event)
        self.first = _Step(key, call_id, event, key.startswith(f"{LegKind.WISH}:"))
        self.todo: list[_Step] = []
        self.words: list[str] = []
        self.seen: set[str] = set()
        self._done: set[str] = set()
        self.later: dict[str, int] = {}
        self.handed_on = 0
        self._counted = False

    @property
    def drive(self) -> str:
        """Which handing on this is: the queue swallows a second one under the same drive."""
        return f"{drive_of(self.delivered.message_id, self.delivered.retried)}.{self._rounds}"

    def done_before(self, leg_key: str, word: str) -> bool:
        """Whether this run has done a leg for the second time: a failover has brought it back, and what follows it."""
        done = {leg_key} if word == "done" else set[str]()
        again = bool(done & self._done)
        self._done |= done
        return again

    def forget_handed_on(self) -> None:
        """A slot was given, or a failover forgot: work that was handed on before is handed on again.

        Not for a wish that must wait: two of them would bring each other back without end.
        """
        self._rounds += 1
        self.seen = {step.leg_key for step in self.todo}

    def is_under_way(self, leg: Leg, now_ms: int) -> bool:
        """Whether this run has published it for a time that has not come yet, whatever the admission says meanwhile."""
        return self.later.get(leg.key, 0) == leg.free_at_ms() > now_ms + CLOCK_ERROR_MS

    def count_message(self) -> int:
        """1 for the first COMMIT of this message, 0 for what is continued in place."""
        counted, self._counted = self._counted, True
        return 0 if counted else 1


def announced(event: Event) -> str:
    """What is told of a leg when it is first claimed: the first attempt of a step of a plan begins."""
    payload = event.payload if isinstance(event, AgentToolCall) else None
    if payload is None or not payload.step or payload.attempt > 1:
        return ""
    return step_started(payload.step, payload.call_id, payload.tool)
