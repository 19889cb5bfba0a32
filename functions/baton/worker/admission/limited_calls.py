"""Calls that share limits with others: a call over one waits without a process, for a moment or a place of its own.

Invariant: a call that waits has not begun: its work item is given back, and its event comes again when it may begin.
Must not: count a wait as an attempt.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from msgspec.structs import replace

from baton.engine.attempts import MAX_DELAY_MS
from baton.engine.commit.answers import Claim, History
from baton.engine.effects import CallModel, RunTool, Work, failed
from baton.engine.outbox import event_of
from baton.engine.step_results import ModelFailed, StepResult, ToolFailed
from baton.engine.work_items import WorkItem, kind_of
from baton.queue.dispatch import postpone
from baton.sdk.records.call_limit import CallLimit, LimitedCall
from baton.sdk.records.transcript import Failure
from baton.sdk.tools.contained import traceback_of
from baton.sdk.tools.running_calls import NotYetError
from baton.settings.settings import CLAIM_MARGIN_SECONDS
from baton.store.records.call_limits import KeyLimit, NamedCall
from baton.store.redis.call_limits import CallLimits
from baton_events.emitter import Emitter
from baton_events.errors import BatonError
from baton_events.schema import encode_event, parse_event
from baton_events.values.text import text_of

_log = logging.getLogger("baton.limits")

# How long a call waits in its process: a message is not delivered more exactly than that.
_WAIT_HERE_MS = 1_000
# After so long a wait, as of a slow store, the claim might end before the work: it is claimed anew.
_LATE_SECONDS = CLAIM_MARGIN_SECONDS / 2
KEY_FAILED = "limit_key_failed"
_Number = TypeVar("_Number", int, float)

Executing = Callable[[Work, History, Claim], Coroutine[Any, Any, StepResult | None]]


class Waking:
    """What stands before an `executor`, and wakes other calls that wait for the same."""

    def __init__(self, executor: Executing, emitter: Emitter) -> None:
        self.executor, self._emitter = executor, emitter

    async def wake(self, events: Sequence[str], claim: Claim, why: str) -> None:
        """Wake calls that may begin now; where that fails, they come by themselves. This one goes on.

        `why`: distinguishes this from other reasons to wake the same call.
        """
        try:
            for event in events:
                await postpone(self._emitter, parse_event(event.encode()), 0, why)
        except BatonError as error:
            _log.warning("%s could not wake the calls that wait for its limits: %s", claim.item_key, error)


class Limited(Waking):
    """Runs `executor` within the limits that are `declared` for it; a call's places are free after `lease_ms`.

    `longest_pause_ms`: how long a failed call may pause its keys for its tenant.
    """

    def __init__(
        self,
        executor: Executing,
        declared: Callable[[CallModel | RunTool], Sequence[CallLimit]],
        call_limits: CallLimits,
        emitter: Emitter,
        lease_ms: int,
        longest_pause_ms: int = MAX_DELAY_MS,
    ) -> None:
        super().__init__(executor, emitter)
        self._declared = declared
        self._limits = call_limits
        self._lease_ms, self._longest_pause_ms = lease_ms, longest_pause_ms

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult | None:
        """Do the work. Raises NotYetError: it has to wait, and has not begun."""
        assert isinstance(effect, CallModel | RunTool), "no other calls have limits"
        declared = self._declared(effect)
        if not declared:
            return await self.executor(effect, history, claim)
        try:
            limits = _limits_of(declared, effect, history)
        except Exception as error:  # noqa: BLE001 - a user's own function
            return failed(effect, key_failed("CallLimit", error))
        # An offloaded call has begun when its request was sent; its answer is due now.
        has_begun = claim.answer is not None or (isinstance(effect, CallModel) and effect.offloaded > 0)
        since_ms = 0 if has_begun else await self._begin(limits, effect, claim)
        try:
            step_result = await self.executor(effect, history, claim)
        finally:
            if not has_begun:
                await self._after(claim, self._end(limits, claim, since_ms))
        pause_seconds = step_result.retry_after_seconds if isinstance(step_result, ModelFailed | ToolFailed) else None
        if pause_seconds:
            pause_ms = min(int(1000 * pause_seconds), self._longest_pause_ms)
            await self._after(claim, self._limits.pause_calls(limits, effect.job.tenant, pause_ms))
        return step_result

    async def _begin(self, limits: Sequence[KeyLimit], effect: CallModel | RunTool, claim: Claim) -> int:
        """Wait until it may begin; return the time since which it has its places.

        Raises NotYetError: it waits longer, or has waited for so long that its claim is too old for the work.
        """
        now_seconds = asyncio.get_running_loop().time
        late_at_seconds = now_seconds() + _LATE_SECONDS
        call = NamedCall(claim.item_key, effect.job.tenant, waiting_event(effect, claim))
        while True:
            answer = await self._limits.begin_call(limits, call, self._lease_ms)
            await self.wake(answer.woken, claim, f"place.{claim.owner}")
            if not answer.wait_ms and now_seconds() < late_at_seconds:
                return answer.since_ms
            if not answer.wait_ms:
                await self._after(claim, self._end(limits, claim, answer.since_ms))
                raise NotYetError(0, "limits")
            if answer.wait_ms > _WAIT_HERE_MS:
                raise NotYetError(answer.wait_ms - _WAIT_HERE_MS, f"limit {answer.limit!r}")
            await asyncio.sleep(answer.wait_ms / 1000)

    async def _end(self, limits: Sequence[KeyLimit], claim: Claim, since_ms: int) -> None:
        if any(one.in_flight is not None for one in limits):
            woken = await self._limits.end_call(limits, claim.item_key, since_ms)
            await self.wake(woken, claim, f"place.{claim.owner}")

    async def _after(self, claim: Claim, news: Awaitable[None]) -> None:
        """Report a call's end to its limits; where that fails, the call is over all the same, and others wait."""
        try:
            await news
        except BatonError as error:
            _log.warning("the limits of %s do not know yet that it is over: %s", claim.item_key, error)


def _limits_of(declared: Sequence[CallLimit], effect: CallModel | RunTool, history: History) -> tuple[KeyLimit, ...]:
    """Return a call's limits by their keys; of several of one key the lowest of each kind."""
    call, found = call_of(effect, history), dict[str, KeyLimit]()
    for one in declared:
        key = one.key_of(call)
        other = found.get(key, KeyLimit(key))
        found[key] = KeyLimit(key, _lower(one.per_minute, other.per_minute), _lower(one.in_flight, other.in_flight))
    return tuple([found[key] for key in sorted(found)])


def _lower(one: _Number | None, other: _Number | None) -> _Number | None:
    return other if one is None else one if other is None else min(one, other)


def call_of(effect: CallModel | RunTool, history: History) -> LimitedCall:
    """Return what a function that makes a key gets of a call."""
    job, task = effect.job, history.transcript[0] if history.transcript else {}
    tool, arguments = (effect.call.tool, effect.call.arguments) if isinstance(effect, RunTool) else ("", {})
    return LimitedCall(job.tenant, job.session_id, job.agent, tool, arguments, task.get("data") or {})


def key_failed(whose: str, error: Exception) -> Failure:
    """Return the failure of a call whose key could not be made."""
    message = f"the key of a {whose} failed: {type(error).__name__}: {text_of(error)}"
    return Failure(KEY_FAILED, message, traceback=traceback_of(error))


def waiting_event(effect: CallModel | RunTool, claim: Claim) -> str:
    """Return the event that lets a call ask again."""
    return encode_event(event_of(effect.job.session_id, _item(effect, claim)))


def _item(effect: CallModel | RunTool, claim: Claim) -> WorkItem:
    """Return the claimed work item, with the fields of its event: the same each time that the call asks."""
    since_ms = effect.job.created_at_ms
    item = WorkItem(claim.item_key, kind_of(claim.item_key), effect.job.id, 0, effect.attempt, since_ms=since_ms)
    if isinstance(effect, CallModel):
        return replace(item, turn=int(claim.item_key.split(":")[2]))
    call = effect.call
    named = {"position": call.position, "call_id": call.id, "tool": call.tool, "step": call.step}
    return replace(item, turn=call.turn, **named)
