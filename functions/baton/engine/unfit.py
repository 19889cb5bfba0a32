"""Decisions on a step that this deploy's code cannot do: its agent is gone, or the code asks for other steps.

The step waits for a deploy that fits, with growing pauses, and people see what is missing. That is no attempt. Once it
has waited for too long it fails, and a retry goes on from there.
"""

from msgspec.structs import replace

from baton.engine import stream_parts, tool_call, turn
from baton.engine.attempts import backoff_ms
from baton.engine.effects import Changes, Decision
from baton.engine.lifecycle import end_failed
from baton.engine.state import State
from baton.engine.step_results import ToolFailed
from baton.engine.waits import UNFIT
from baton.engine.work_items import ItemKind, following, loop_item
from baton.sdk.records.transcript import Failure

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_MS = 2.0, 300_000
_WHY_CHARS = 500


def waits(state: State, failure: Failure, now_ms: int, patience_seconds: int) -> Decision:
    """Let the step wait for a deploy that fits, or fail after `patience_seconds`."""
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
