"""The one shell: BEGIN → decide → at most one piece of work → decide → COMMIT → hand on, for every event type alike.

To hand on is to publish, or to go on in place: then the COMMIT has claimed what follows, and its BEGIN is left out.
Invariant: before a message is acknowledged (this returns), whatever it carries has been handed on; anything raised
leaves it un-acknowledged, and its redelivery does the same. No branch here depends on the event type.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from msgspec.structs import replace

from baton.commands.facts import Facts
from baton.core.decide import decide
from baton.core.effects import Alert, Changes, Decision, Effect, Expect, Work
from baton.core.expected import event_of
from baton.core.going_on import GoOn
from baton.core.happenings import Happening, Started
from baton.core.legs import WORK_KINDS, Leg, LegKind
from baton.core.state import State
from baton.dispatch.books import commit
from baton.dispatch.delivery import Delivered, Outcome
from baton.dispatch.handing_on import hand_on, postpone
from baton.emitter import Emitter
from baton.observability.tracing import leg_begun, leg_ended
from baton.ports import Begun, Claim, Clock, Committed, History, Randomness, Store, Verdict, charge
from baton.runtime.claims import Claims
from baton.runtime.policy import LEASE_MARGIN_MS, LEASE_MS, PAUSES_SECONDS, RENEW_SECONDS, Policy
from baton.runtime.run import Run, Step
from baton_events.errors import StoreError, UnknownJobError

_log = logging.getLogger("baton.pipeline")

# What became of a wish for which there is no slot: its job is told once there is one.
IN_LINE = "waits for a slot"
# What became of a step of which a process has died, while another one of those is worked on here.
SUSPECT = "waits for its turn alone"
_STARTED = Started()


# Performs what follows a COMMIT besides its legs; never raises.
Aftermath = Callable[[Sequence[Effect]], Awaitable[None]]


class Performer(Protocol):
    """Does one kind of work; whatever goes wrong in foreign code is a happening, never raised."""

    async def __call__(self, effect: Work, history: History, claim: Claim) -> Happening | None:
        """Do the work. None: nothing happened yet, and the leg stays until somebody tells it again."""
        ...


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
        claims = Claims(self._store, self._clock, self._policy)
        run = Run(delivered, self._randomness.token(), self._clock.now_ms() + self._policy.guard_ms, claims)
        told = await self._facts.witness(delivered.event, delivered.message_id, delivered.token)
        if told is None:  # else the fact has counted its witness
            if delivered.retried == 0:
                charge(messages=1)
            run.begin(run.first)
        else:
            run.words.append("told")
            await self._hand_on(run, told, crosses=False)
        try:
            await self._work_off(run)
        finally:
            claims.rest()
        if run.failure is not None:
            raise run.failure
        return Outcome(run.words[0], run.published)

    async def _work_off(self, run: Run) -> None:
        """Do what is to be done here, several legs at once; what fails lets the others finish."""
        tasks = set[asyncio.Task[None]]()
        try:
            while run.todo or tasks:
                if len(run.todo) == 1 and not tasks:
                    await self._step(run, run.todo.popleft())
                    continue
                while run.todo:
                    tasks.add(asyncio.create_task(self._step(run, run.todo.popleft())))
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                over = {task for task in tasks if task.done()}
                for task in over:
                    task.result()
                tasks -= over
        finally:
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _step(self, run: Run, step: Step) -> None:
        try:
            await self._handle_leg(run, step)
        except Exception as error:  # noqa: BLE001 - raised once the others are done
            run.in_hand.discard(step.leg_key)
            run.failure = run.failure or error

    async def _handle_leg(self, run: Run, step: Step) -> None:
        now_ms = self._clock.now_ms()
        claim = Claim(
            job_id=step.job_id,
            leg_key=step.leg_key,
            message_id=run.delivered.message_id,
            owner=step.owner,
            now_ms=now_ms,
            lease_until_ms=now_ms + LEASE_MS,
            call_id=step.call_id,
        )
        begun = await self._still_held(claim, step.begun) if step.begun else await run.claims.begin(claim)
        match begun.verdict:
            case Verdict.UNKNOWN:
                raise UnknownJobError(f"job {claim.job_id} is not known (yet); its submission may still be told again")
            case Verdict.GRANTED:
                return await self._hold(run, step, claim, begun)
            case Verdict.BUSY | Verdict.EARLY if step.event is not None:
                await postpone(self._emitter, step.event, begun.free_at_ms, run.drive)
        run.words.append(begun.verdict)
        run.leaves(step)
        return await self._hand_on(run, begun.carried, crosses=False)

    async def _still_held(self, claim: Claim, begun: Begun) -> Begun:
        """What a COMMIT has claimed. Where its answer was long under way somebody else may have taken over.

        It is not begun anew: this message may be over, and would then carry what another one has driven meanwhile.
        """
        assert begun.state is not None, "what is claimed comes with its state"
        leg = begun.state.leg
        if leg.kind is LegKind.WISH or claim.now_ms - leg.claimed_ms <= 1000 * RENEW_SECONDS:
            return begun
        lost = await self._store.renew([claim], claim.lease_until_ms)
        return Begun(Verdict.APPLIED) if lost else begun

    async def _hold(self, run: Run, step: Step, claim: Claim, begun: Begun) -> None:
        """Do what was claimed; where the process stops in the middle, its event comes again at once."""
        state = begun.state
        if state is None:
            raise ValueError("a granted BEGIN comes with a state")
        try:
            async with run.claims.holding(claim):
                with self._policy.suspects.turn_of(state.leg) as wait_ms:
                    if not wait_ms:
                        return await self._do(run, step, claim, begun, state)
                    is_free = await run.claims.give_back(claim, begun=False)
        except asyncio.CancelledError:
            if self._policy.stopping.begun:
                await postpone(self._emitter, event_of(run.session_id, state.leg), 0, run.drive)
            raise
        if not is_free:  # an earlier delivery may have done it meanwhile: then this one has what follows to hand on
            return run.begin(replace(step, begun=None))
        await postpone(self._emitter, event_of(run.session_id, state.leg), self._clock.now_ms() + wait_ms, run.drive)
        run.words.append(SUSPECT)
        run.leaves(step)
        return await self._hand_on(run, begun.carried, crosses=False)

    async def _do(self, run: Run, step: Step, claim: Claim, begun: Begun, state: State) -> None:
        leg_begun(claim, state)
        now_ms = self._clock.now_ms()
        decision = decide(state, _STARTED, now_ms)
        if decision.changes is None:
            happened = await self._work(decision, begun.history, claim)
            if happened is None:
                leg_ended(IN_LINE, begun.carried)
                run.words.append(IN_LINE)
                run.leaves(step)
                return await self._hand_on(run, begun.carried, crosses=False)
            at_once = self._policy.inline and run.delivered.retried == 0
            now_ms = self._clock.now_ms()
            decision = decide(state, happened, now_ms, at_once=at_once)
        since_ms = state.leg.since_ms if state.leg.kind is LegKind.LOOP else 0
        claim = replace(claim, now_ms=now_ms, run=state.job.run, since_ms=since_ms)
        committed = await self._commit(run, step, claim, decision.changes or Changes())
        run.claims.done(claim)
        word = "done" if committed.applied else "overtaken"
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug("%s of %s: %s", state.leg.key, claim.message_id, word)
        leg_ended(word, committed.carried, committed.claimed)
        if decision.effects and committed.applied:
            await self._afterwards(decision.effects)
        run.words.append(word)
        again = run.ends(step, done=committed.applied)
        if again or step.wish:
            run.handed_on.begin_anew()
        for further in committed.claimed:
            run.go_on(further)
        return await self._hand_on(run, committed.carried, crosses=step.wish)

    async def _work(self, decision: Decision, history: History, claim: Claim) -> Happening | None:
        work = decision.effects[0]
        assert not isinstance(work, Alert | Expect), "what changes nothing yet is a piece of work"
        performer = self._performers.get(type(work))
        if performer is None:
            raise ValueError(f"this function cannot do {type(work).__name__}: its event belongs to another endpoint")
        return await performer(work, history, claim)

    async def _commit(self, run: Run, step: Step, claim: Claim, changes: Changes) -> Committed:
        """COMMIT, repeated where the store fails: it may be back in a moment, and the work need not be done again.

        The claims of one whose answer was lost are asked for in any case: nobody else gets them while they last.
        """
        go_on = self._room(run, step, claim.now_ms)
        for pause_seconds in PAUSES_SECONDS:
            try:
                return await commit(self._store, claim, changes, go_on)
            except StoreError:
                now_ms = self._clock.now_ms()
                fresh = go_on is not None and self._is_fresh(run, now_ms)
                is_late = now_ms + 1000 * pause_seconds >= claim.now_ms + LEASE_MARGIN_MS
                if is_late and (pause_seconds or not fresh):
                    raise
            await asyncio.sleep(pause_seconds)
            go_on = replace(go_on, at_most=0) if go_on and fresh else None
        return await commit(self._store, claim, changes, go_on)

    def _room(self, run: Run, step: Step, now_ms: int) -> GoOn | None:
        """What a COMMIT may claim for this run to go on with; None: nothing more is begun here."""
        room = self._policy.at_once - len(run.in_hand) + (step.leg_key in run.in_hand)
        if room <= 0 or not self._is_fresh(run, now_ms):
            return None
        leases_ms = self._policy.leases_ms(crosses=step.wish)
        return GoOn(run.name_of_claims(), leases_ms, room, run.untouchable(step))

    def _is_fresh(self, run: Run, now_ms: int) -> bool:
        # A redelivered message publishes, so that progress gets fresh retries; so does a process that is to stop.
        going = run.failure is None and not self._policy.stopping.begun
        return run.delivered.retried == 0 and going and now_ms < run.guard_until_ms

    async def _hand_on(self, run: Run, legs: tuple[Leg, ...], *, crosses: bool) -> None:
        """Go on in place with what another job of the tree has to do, if that is possible; publish the rest."""
        if not legs:
            return
        now_ms = self._clock.now_ms()
        publish: list[Leg] = []
        for leg in legs:
            if run.is_seen(leg, now_ms):
                continue
            if self._may_continue(run, leg, now_ms, crosses=crosses):
                run.begin(run.step_of(leg))
            else:
                publish.append(leg)
                run.handed_on.add(leg)
        run.published += await hand_on(self._emitter, run.session_id, publish, run.drive)

    def _may_continue(self, run: Run, leg: Leg, now_ms: int, *, crosses: bool) -> bool:
        """Whether to ask for a leg that no COMMIT has claimed.

        Work is published: whether its job wants it kept apart is not known here. So is what somebody else hands on,
        too: this message may be acknowledged before that is done.
        """
        if leg.handed_on or leg.kind in WORK_KINDS or leg.kind not in self._policy.leases_ms(crosses=crosses):
            return False
        return self._is_fresh(run, now_ms) and leg.free_at_ms() <= now_ms and len(run.in_hand) < self._policy.at_once
