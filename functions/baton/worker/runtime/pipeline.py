"""The one shell: CLAIM → decide → at most one piece of work → decide → COMMIT → dispatch, for every event type alike.

To dispatch is to publish, or to continue inline: then the COMMIT has claimed what follows, and its CLAIM is left out.
Invariant: before a message is acknowledged (this returns), all its pending items have been dispatched; an error leaves
it un-acknowledged, and its redelivery does the same. No branch here depends on the event type.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from baton.engine.commit.answers import Claim, ClaimResult, Committed, History, Verdict
from baton.engine.decide import decide
from baton.engine.effects import (
    Alert,
    CallModel,
    Changes,
    Decision,
    Effect,
    Expect,
    RunScript,
    RunTool,
    UsedLate,
    failed,
)
from baton.engine.outbox import Continuation, event_of
from baton.engine.state import Job, State
from baton.engine.step_results import ModelFailed, Started, StepResult, spent_by, used_by
from baton.engine.work_items import WORK_KINDS, ItemKind, WorkItem
from baton.observability.tracing import DONE, item_claimed, item_ended
from baton.queue.dispatch import Delivered, Outcome, dispatch, postpone
from baton.sdk.agents.runner import OPEN_RUNS, UNDO, OpenRun, close_all
from baton.sdk.clock import Clock, Randomness
from baton.sdk.records.transcript import Failure
from baton.sdk.tools.running_calls import NoTimeLeftError, NotYetError
from baton.store.redis.store import Store
from baton.store.transport.meter import charge
from baton.worker.commands.commands import Commands
from baton.worker.runtime.claims import Claims
from baton.worker.runtime.invocation import HeldJob, Invocation, InvocationItem, RunningSteps, claimed_step
from baton.worker.runtime.policy import LEASE_MARGIN_MS, PAUSES_SECONDS, RENEW_SECONDS, Policy
from baton.worker.runtime.spec import Executor
from baton_events.emitter import Emitter
from baton_events.errors import (
    OWN_CODEC,
    AnswerEarlyError,
    StoreError,
    TooLargeForStoreError,
    UnknownJobError,
    UnreadablePayloadError,
)

_log = logging.getLogger("baton.pipeline")

# Outcome of a slot request without a free slot: its job is notified once there is one.
IN_LINE = "waits for a slot"
# Outcome of a step of which a process has died, while another such step is worked on here.
SUSPECT = "waits for its turn alone"
# Outcome of a call over a limit that it shares with others.
LIMITED = "waits for a limit of calls"
_STARTED = Started()

# Performs the effects of a COMMIT besides its work items; never raises.
PostCommitEffects = Callable[[Sequence[Effect]], Awaitable[None]]


class Wait(Struct, frozen=True):
    """A step has not begun, and comes again after `ms`. `limit`: it must have room; none: it is worked on alone then.

    `took_time`: an earlier attempt took the time that it needs.
    """

    ms: int = 0
    limit: str = ""
    took_time: bool = False


# A step goes on with the one that follows from it.
_GOES_ON = Wait()


class Pipeline:
    """Handles delivered events. `executors`: the kinds of work that this function can do.

    `stored`: puts what is large of a job's COMMIT into the object store; None: it stays with the records.
    """

    stored: "Callable[[Job, Changes, str], Awaitable[Changes]] | None" = None

    def __init__(
        self,
        store: Store,
        emitter: Emitter,
        clock: Clock,
        randomness: Randomness,
        executors: Mapping[type[Effect], Executor],
        commands: Commands,
        post_commit: PostCommitEffects,
        policy: Policy,
    ) -> None:
        self._store, self._emitter, self._clock, self._randomness = store, emitter, clock, randomness
        self._executors, self._commands, self._post_commit = executors, commands, post_commit
        self._policy = policy

    async def handle(self, delivered: Delivered) -> Outcome:
        """Handle one delivered event. Raises BatonError: the message must not be acknowledged."""
        claims = Claims(self._store, self._clock, self._policy)
        invocation = Invocation(
            delivered, self._randomness.token(), self._clock.now_ms() + self._policy.guard_ms, claims
        )
        command_items = await self._commands.receive(delivered.event, delivered.message_id, delivered.token)
        if command_items is None:  # else the command has counted its backup message
            charge(**invocation.counts)
            invocation.begin(invocation.first)
        else:
            invocation.outcomes.append("signalled")
            await self._dispatch(invocation, command_items, via_admission=False)
        running, runs = RunningSteps(), dict[str, OpenRun]()
        OPEN_RUNS.set(runs)
        undo = dict[str, Callable[[], Awaitable[None]]]()
        UNDO.set(undo)
        try:
            while invocation.todo or running.tasks:
                if len(invocation.todo) == 1 and not running.tasks:
                    await self._step(invocation, invocation.todo.popleft())
                    continue
                while invocation.todo:
                    running.begin(self._step(invocation, invocation.todo.popleft()))
                await running.one_over()  # a failure lets the others finish
        finally:
            claims.rest()
            await running.cancelled()
            if runs:
                await close_all(runs.values())
            for each in undo.values():
                await each()
        if invocation.failure is not None:
            raise invocation.failure
        return Outcome(invocation.outcomes[0], invocation.published)

    async def _step(self, invocation: Invocation, step: InvocationItem) -> None:
        held: HeldJob | None = None
        try:
            claim, claim_result = invocation.claim_of(step, self._clock.now_ms()), step.claim_result
            if claim_result is None:
                claim_result = await invocation.claims.claim(claim)
            else:
                claim, claim_result = await self._still_held(claim, claim_result)
            if claim_result.verdict is Verdict.GRANTED:
                held = HeldJob(invocation.claims, step, claim, claim_result)
                await self._hold(invocation, held)
            else:
                await self._refused(invocation, step, claim_result)
        except Exception as error:  # noqa: BLE001 - raised once the others are done
            invocation.in_progress.discard((held.step if held else step).item_key)
            invocation.failure = invocation.failure or error

    async def _refused(self, invocation: Invocation, step: InvocationItem, claim_result: ClaimResult) -> None:
        match claim_result.verdict:
            case Verdict.UNKNOWN:
                raise UnknownJobError(f"job {step.job_id} is not known (yet); its backup message may still create it")
            case Verdict.BUSY | Verdict.EARLY if step.event is not None:
                await postpone(self._emitter, step.event, claim_result.free_at_ms, invocation.replay_id)
        await self._leave(invocation, step, claim_result.verdict, claim_result.pending)

    async def _still_held(self, claim: Claim, claim_result: ClaimResult) -> tuple[Claim, ClaimResult]:
        """Return the claim that a COMMIT made. If its answer was slow, another invocation may have taken over.

        It is not claimed anew: this message may be over, and would become the relay of items replayed meanwhile.
        """
        assert claim_result.state is not None, "what is claimed comes with its state"
        item = claim_result.state.item
        if item.kind is not ItemKind.SLOT_REQUEST and claim.now_ms - item.claimed_ms > 1000 * RENEW_SECONDS:
            lost = await self._store.renew([claim], claim.lease_until_ms)
            return claim, ClaimResult(Verdict.APPLIED) if lost else claim_result
        return replace(claim, now_ms=item.claimed_ms), claim_result

    async def _hold(self, invocation: Invocation, held: HeldJob) -> None:
        """Work on a claimed item, and what follows from it alone; where the process stops, its event comes at once."""
        try:
            async with held:
                with self._policy.suspects.turn_of(held.state.item) as wait_ms:
                    wait: Wait | None = Wait(wait_ms) if wait_ms else _GOES_ON
                    while wait is _GOES_ON:
                        wait = await self._do(invocation, held)
                    if wait is None:
                        return
                    claim = held.claim
                    if wait.limit:
                        claim = replace(claim, limited_by=wait.limit, comes_ms=self._clock.now_ms() + wait.ms)
                    is_free = await invocation.claims.give_back(claim, begun=wait.took_time) or wait.took_time
            step, state, pending = held.step, held.state, held.claim_result.pending
            if wait_ms and is_free:
                await self._dispatch(invocation, pending, via_admission=False)
                pending = ()
                left_seconds = (invocation.guard_until_ms - self._clock.now_ms()) / 1000
                is_free = not await self._policy.suspects.turn_comes(left_seconds)
        except asyncio.CancelledError:
            if self._policy.stopping.begun:
                await postpone(self._emitter, event_of(invocation.session_id, held.state.item), 0, invocation.replay_id)
            raise
        # Its turn has come, or an earlier delivery may have done it meanwhile: then this one dispatches what follows.
        if not is_free:
            invocation.begin(replace(step, claim_result=None))
            return
        if step.answer:
            raise AnswerEarlyError(f"{step.item_key} waits for its turn alone: its model's answer comes again")
        event, at_ms = event_of(invocation.session_id, state.item), self._clock.now_ms() + wait.ms
        await postpone(self._emitter, event, at_ms, invocation.replay_id)
        await self._leave(invocation, step, LIMITED if wait.limit else SUSPECT, pending)

    async def _leave(
        self, invocation: Invocation, step: InvocationItem, outcome: str, pending: tuple[WorkItem, ...]
    ) -> None:
        invocation.outcomes.append(outcome)
        invocation.leaves(step)
        await self._dispatch(invocation, pending, via_admission=False)

    async def _do(self, invocation: Invocation, held: HeldJob) -> Wait | None:
        """Work on the item and commit that; or return how its step waits, which has not begun, or goes on."""
        step, claim, claim_result, state = held.step, held.claim, held.claim_result, held.state
        item_claimed(claim, state)
        now_ms, otherwise, step_result = self._clock.now_ms(), None, None
        decision = decide(state, _STARTED, now_ms)
        if decision.changes is None:
            step_result = await self._work(decision, claim_result.history, claim)
            if isinstance(step_result, Wait):
                if step_result.limit:
                    item_ended(LIMITED, claim_result.pending)
                return step_result
            if step_result is None:
                item_ended(IN_LINE, claim_result.pending)
                await self._leave(invocation, step, IN_LINE, claim_result.pending)
                return None
            at_once = self._policy.takes_in and invocation.delivered.retried == 0
            now_ms = self._clock.now_ms()
            otherwise = partial(_unrecorded, state, decision.effects[0], step_result, now_ms)
            patience_seconds = self._policy.patience_seconds
            decision = decide(state, step_result, now_ms, at_once=at_once, patience_seconds=patience_seconds)
        since_ms, looks = (state.item.since_ms, 0) if state.item.kind is ItemKind.LOOP else (0, state.item.offloaded)
        claim = replace(claim, now_ms=now_ms, run=state.job.run, since_ms=since_ms, looks=looks, result=step_result)
        try:
            committed = await self._commit(invocation, step, claim, state, decision)
        except TooLargeForStoreError as error:
            if otherwise is None:
                raise
            decision = otherwise(error)
            committed = await self._commit(invocation, step, claim, state, decision)
        undo, job = UNDO.get().pop(claim.job_id, None), decision.changes and decision.changes.job
        effects = decision.effects if committed.applied else _late(committed, claim)
        goes_on = invocation.goes_on(held, committed, self._clock.now_ms(), alone=not (undo or effects))
        if undo and not (committed.applied and job and job.workspace):
            await undo()
        label = DONE if committed.applied else "overtaken"
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug("%s of %s: %s", state.item.key, claim.message_id, label)
        item_ended(label, committed.pending, committed.claimed, decision.changes)
        if effects:
            await self._post_commit(effects)
        invocation.outcomes.append(label)
        if goes_on:
            return _GOES_ON
        if invocation.ends(step, done=committed.applied) or step.slot_request:
            invocation.dispatched.begin_anew()
        for further in committed.claimed:
            invocation.begin(claimed_step(further))
        await self._dispatch(invocation, committed.pending, via_admission=step.slot_request)
        return None

    async def _work(self, decision: Decision, history: History, claim: Claim) -> StepResult | Wait | None:
        work = decision.effects[0]
        assert not isinstance(work, Alert | Expect | UsedLate), "what changes nothing yet is a piece of work"
        executor = self._executors.get(type(work))
        if executor is None:
            raise ValueError(f"this function cannot do {type(work).__name__}: its event belongs to another endpoint")
        try:
            return await executor(work, history, claim)
        except NotYetError as error:
            return Wait(error.wait_ms, error.limit)
        except NoTimeLeftError:
            return Wait(took_time=True)

    async def _commit(
        self, invocation: Invocation, step: InvocationItem, claim: Claim, state: State, decision: Decision
    ) -> Committed:
        """Commit, again where store or codec fails: it may be back in a moment, and the work need not be done again.

        What is large is put into the object store before. `TooLargeForStoreError`: the store never takes it.
        A repeated COMMIT gets the claims of one whose answer was lost: no other owner gets them while they last.
        """
        changes = decision.changes or Changes()
        if self.stored is not None:
            changes = await self.stored(state.job, changes, state.outcome)
        continuation, pauses_seconds = self._capacity(invocation, step, claim.now_ms), iter(PAUSES_SECONDS)
        while True:
            try:
                committed = await self._store.commit(claim, changes, continuation)
            except TooLargeForStoreError:
                raise
            except (StoreError, UnreadablePayloadError) as error:
                if isinstance(error, UnreadablePayloadError) and error.key_id != OWN_CODEC:
                    raise  # a codec of one's own may have its keys again in a moment
                UNDO.get().pop(claim.job_id, None)  # it may be recorded
                now_ms, pause_seconds = self._clock.now_ms(), next(pauses_seconds, None)
                fresh = continuation is not None and self._is_fresh(invocation, now_ms)
                until_ms = claim.now_ms + LEASE_MARGIN_MS
                if pause_seconds is None or (
                    now_ms + 1000 * pause_seconds >= until_ms and (pause_seconds or not fresh)
                ):
                    raise
            else:
                return committed
            await asyncio.sleep(pause_seconds)
            continuation = replace(continuation, at_most=0) if continuation and fresh else None

    def _capacity(self, invocation: Invocation, step: InvocationItem, now_ms: int) -> Continuation | None:
        """Return the claims that a COMMIT may make for this invocation; None: nothing more is begun here."""
        capacity = self._policy.at_once - len(invocation.in_progress) + (step.item_key in invocation.in_progress)
        if capacity <= 0 or not self._is_fresh(invocation, now_ms):
            return None
        leases_ms = self._policy.leases_ms(via_admission=step.slot_request)
        return Continuation(invocation.name_of_claims(), leases_ms, capacity, invocation.excluded(step))

    def _is_fresh(self, invocation: Invocation, now_ms: int) -> bool:
        # A redelivered message publishes, so that progress gets fresh retries; so does a process that is to stop.
        going = invocation.failure is None and not self._policy.stopping.begun
        return invocation.delivered.retried == 0 and going and now_ms < invocation.guard_until_ms

    async def _dispatch(self, invocation: Invocation, items: tuple[WorkItem, ...], *, via_admission: bool) -> None:
        """Continue inline with items of other jobs of the tree where that is possible; publish the rest."""
        if not items:
            return
        now_ms = self._clock.now_ms()
        publish: list[WorkItem] = []
        for item in items:
            if invocation.is_seen(item, now_ms):
                continue
            if self._may_continue(invocation, item, now_ms, via_admission=via_admission):
                invocation.begin(invocation.step_of(item))
            else:
                publish.append(item)
                invocation.dispatched.add(item)
        invocation.published += await dispatch(self._emitter, invocation.session_id, publish, invocation.replay_id)

    def _may_continue(self, invocation: Invocation, item: WorkItem, now_ms: int, *, via_admission: bool) -> bool:
        """Return whether to claim a work item that no COMMIT has claimed.

        Work is published: only its job knows whether it is isolated. So is an item that another invocation dispatches,
        too: this message may be acknowledged before that is done.
        """
        if (
            item.redelivered
            or item.kind in WORK_KINDS
            or item.kind not in self._policy.leases_ms(via_admission=via_admission)
        ):
            return False
        return (
            self._is_fresh(invocation, now_ms)
            and item.free_at_ms() <= now_ms
            and len(invocation.in_progress) < self._policy.at_once
        )


def _late(committed: Committed, claim: Claim) -> tuple[UsedLate, ...]:
    """Return what is to be counted of a step that came after the end of its job."""
    return (UsedLate(committed.late, spent_by(claim.result)),) if committed.late and claim.result is not None else ()


def _unrecorded(
    state: State, work: Effect, step_result: StepResult, now_ms: int, error: TooLargeForStoreError
) -> Decision:
    """Decide on a step whose outcome the store never takes: it has failed.

    Raises TooLargeForStoreError: it is no work that can fail.
    """
    if not isinstance(work, CallModel | RunTool | RunScript):
        raise error
    outcome = failed(work, Failure("too_large", f"what this step gave is too large to be recorded: {error}"))
    if isinstance(outcome, ModelFailed):
        outcome = replace(outcome, extra_usage=used_by(step_result))
    return decide(state, outcome, now_ms)
