"""decide(state, step result, now) → Decision: the one place where a job's state changes.

Pure and total over the union of step results. A turn decides in turn.py, a tool call in tool_call.py; how a job begins,
ends and is remembered is in lifecycle.py, how it runs again in job_retry.py. A tool run and the taking in of its result
are one COMMIT where the item between them needs no work: it writes the same as two COMMITs would.
"""

from typing import assert_never

from msgspec.structs import replace

from baton.engine import background_calls, lifecycle, shared_limits, stream_parts, tool_call, turn
from baton.engine import job_retry as retrying
from baton.engine.attempts import backoff_ms, is_given_up, process_died
from baton.engine.effects import Changes, Decision, counted
from baton.engine.job_retry import EndedJob
from baton.engine.lifecycle import end_failed, submitted
from baton.engine.state import Job, State
from baton.engine.step_results import (
    Admitted,
    FollowedUp,
    ModelAnswered,
    ModelFailed,
    ModelWaits,
    NotFollowedUp,
    OverBudget,
    ScriptEnded,
    ScriptWaits,
    Started,
    StepResult,
    Submitted,
    Superseded,
    ToolFailed,
    ToolNeedsApproval,
    ToolRan,
    ToolReturned,
    ToolRunsAgain,
    ToolWaits,
    Undeliverable,
)
from baton.engine.waits import UNFIT
from baton.engine.work_items import FOLLOW_UPS, ItemKind, following, loop_item
from baton.sdk.records.transcript import Failure
from baton_events.schema import Cancellation, Retrial

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_MS = 2.0, 300_000
_WHY_CHARS = 500


def taken_in_at_once(state: State, decision: Decision, now_ms: int) -> Decision:
    """Return the decision on a tool run, merged with the decision that takes its result in.

    Not where a failed step has dependants, whose records are needed.
    """
    first = decision.changes
    if first is None or state.item.kind is not ItemKind.CALL or len(first.items) != 1:
        return decision
    [item], is_failed = first.items, first.items[0].kind is ItemKind.FAILED
    if (is_failed and first.calls[0].dependants) or not (is_failed or item.kind is ItemKind.COMPLETE):
        return decision
    held = State(state.job, replace(item, owner=state.item.owner, claimed_ms=now_ms), first.calls[0])
    then = tool_call.retry_or_give_up(held, now_ms) if is_failed else tool_call.taken_in(held, now_ms)
    second = then.changes
    assert second is not None, "taking in changes the job"
    both = replace(
        second,
        calls=second.calls or first.calls,
        results=first.results | second.results,
        parts=(*first.parts, *second.parts),
        used=first.used,
        apart_bytes=first.apart_bytes + second.apart_bytes,
        needed_until_ms=first.needed_until_ms,
    )
    return Decision(both, then.effects)


def submit(step_result: Submitted, now_ms: int) -> Decision:
    """Decide on a new job: the one command that has no state before it."""
    return (background_calls.begun if step_result.job.is_operation else submitted)(step_result, now_ms)


def cancel(job: Job, command: Cancellation, now_ms: int) -> Decision:
    """Decide on a cancellation: no changes where the job has ended already."""
    return lifecycle.after_end(lifecycle.cancelled(job, command, now_ms), now_ms)


def retry(ended: EndedJob, command: Retrial, now_ms: int) -> Decision:
    """Decide on the retry of an ended job: no changes where it is not possible, or the job runs again already."""
    return retrying.retried(ended, command, now_ms)


def decide(
    state: State, step_result: StepResult, now_ms: int, *, at_once: bool = False, patience_seconds: int = 86_400
) -> Decision:
    """Derive what follows from a step result of the work item in `state`: changes to COMMIT, or work to do first.

    `at_once`: whether a tool run's result is taken in with it, instead of by a work item of its own.
    `patience_seconds`: how long a step waits for a deploy whose code fits it.
    """
    match step_result:
        case ModelFailed(is_unfit=True) | ToolFailed(is_unfit=True):
            return _waits_for_deploy(state, step_result.failure, now_ms, patience_seconds)
        case ToolRan(printed=text) if text:
            decided = _decided(tool_call.having_printed(state, text), step_result, now_ms)
        case _:
            decided = _decided(state, step_result, now_ms)
    if at_once:
        decided = taken_in_at_once(state, decided, now_ms)
    if decided.changes is None:
        return decided
    decision = shared_limits.shared(state, lifecycle.after_end(decided, now_ms))
    return counted(state.job, step_result, decision)


def _decided(state: State, step_result: StepResult, now_ms: int) -> Decision:  # noqa: C901, PLR0911, PLR0912 - one each
    match step_result:
        case Admitted():
            return Decision(Changes(admitted=True))
        case Superseded():
            return Decision(Changes(later_epoch=step_result.later_epoch))
        case Started():
            return _started(state, now_ms)
        case ModelAnswered():
            return turn.answered(state, step_result, now_ms)
        case ModelFailed():
            return turn.model_failed(state, step_result, now_ms)
        case ModelWaits():
            return turn.waits(state, step_result, now_ms)
        case OverBudget():
            return turn.over_budget(state, step_result, now_ms)
        case ScriptWaits() | ScriptEnded():
            return _of_script(state, step_result, now_ms)
        case ToolReturned():
            return tool_call.returned(state, step_result, now_ms)
        case ToolFailed():
            return tool_call.failed(state, step_result, now_ms)
        case ToolWaits():
            return tool_call.waits(state, step_result, now_ms)
        case ToolRunsAgain():
            return tool_call.runs_again(state, step_result, now_ms)
        case ToolNeedsApproval():
            return tool_call.wait_for_approval(state, step_result, now_ms)
        case FollowedUp():
            return Decision(Changes())  # the job stays as it ended
        case NotFollowedUp():
            return lifecycle.not_followed_up(state, step_result, now_ms)
        case Undeliverable() if state.item.kind in FOLLOW_UPS:
            return lifecycle.follow_up_undeliverable(state, step_result)
        case Undeliverable():
            return lifecycle.undeliverable(state, step_result, now_ms)
        case _:
            assert_never(step_result)


def _started(state: State, now_ms: int) -> Decision:  # noqa: PLR0911 - one for each kind
    if is_given_up(state):
        return lifecycle.end_failed(
            state.job, state.item, process_died(state.item, f"taking in {state.item.key}"), now_ms
        )
    match state.item.kind:
        case ItemKind.LOOP:
            return _of_script(state, None, now_ms) if state.job.scripts else turn.started(state, now_ms)
        case ItemKind.SLOT_REQUEST:
            return turn.slot_requests(state)
        case ItemKind.CALL:
            return tool_call.started(state, now_ms)
        case ItemKind.COMPLETE:
            return tool_call.taken_in(state, now_ms)
        case ItemKind.WAIT:
            return tool_call.waited(state, now_ms)
        case ItemKind.REMEMBER | ItemKind.NOTIFY | ItemKind.RELEASE:
            return lifecycle.follow_up(state)
        case ItemKind.FAILED:
            return tool_call.retry_or_give_up(state, now_ms)
        case _:
            assert_never(state.item.kind)


def _of_script(state: State, step_result: ScriptWaits | ScriptEnded | None, now_ms: int) -> Decision:
    from baton.engine import script  # noqa: PLC0415 - few jobs have any

    match step_result:
        case None:
            return script.started(state, now_ms)
        case ScriptWaits():
            return script.waits(state, step_result, now_ms)
        case _:
            return script.ended(state, step_result, now_ms)


def _waits_for_deploy(state: State, failure: Failure, now_ms: int, patience_seconds: int) -> Decision:
    """Let a step that this code cannot do wait for a deploy that fits; after `patience_seconds` it fails.

    Its agent is gone, or the code asks for other steps. That is no attempt. A retry goes on from there.
    """
    job, item = state.job, state.item
    known = item.memo.get(UNFIT, {"since": now_ms, "times": 0})
    times, until_ms = known["times"] + 1, known["since"] + 1000 * patience_seconds
    if now_ms >= until_ms:
        for_good = replace(failure, retryable=False)
        if item.kind is ItemKind.LOOP:
            return end_failed(job, item, for_good, now_ms)
        return tool_call.failed(state, ToolFailed(for_good), now_ms)
    pause_ms = min(backoff_ms(_FIRST_PAUSE_SECONDS, times), _LONGEST_PAUSE_MS)
    again_ms = min(now_ms + pause_ms, until_ms, job.deadline_ms)
    why = f"{failure.type}: {failure.message}"[:_WHY_CHARS]
    memo = {**item.memo, UNFIT: {"since": known["since"], "times": times, "why": why}}
    parts = (stream_parts.handled(item, now_ms, f"{why}; again in {pause_ms / 1000:g} s", failure),)
    since_ms = max(now_ms, item.since_ms + 1)  # an earlier claim can then no longer commit
    if item.kind is ItemKind.LOOP:
        again = replace(loop_item(job.id, item.turn, item.attempt, since_ms, again_ms), lost=item.lost, memo=memo)
        changed = replace(job, **turn.under_way(job, item))
        return Decision(Changes(job=changed, items=(replace(again, abandoned=item.abandoned),), parts=parts))
    call = replace(following(item, ItemKind.CALL, since_ms, not_before_ms=again_ms), memo=memo)
    return Decision(Changes(items=(call,), parts=parts))
