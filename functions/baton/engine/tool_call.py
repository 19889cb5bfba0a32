"""Decisions on a tool call: run, record, retry, give up; the last one of a turn starts the next turn."""

import json
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from baton.engine import approvals, stream_parts
from baton.engine.all_jobs.tool_use import ToolUse
from baton.engine.approvals import decided
from baton.engine.attempts import backoff_ms, may_have_run, no_start_left, process_died
from baton.engine.effects import Changes, Decision, Expect, Join, RunTool, Skip
from baton.engine.lifecycle import end_failed, end_operation, submitted
from baton.engine.state import CallRecord, State, error_record, ok_record
from baton.engine.step_results import ToolFailed, ToolNeedsApproval, ToolReturned, ToolRunsAgain, ToolWaits
from baton.engine.transitions import CallStatus, Step, next_call_status
from baton.engine.waits import LIMIT_APPROVAL, TOOL_APPROVAL, approval_part
from baton.engine.work_items import ItemKind, WorkItem, following, loop_item, tool_key
from baton.sdk.records.redaction import redacted
from baton.sdk.records.transcript import FOREVER_MS, ONCE, Failure
from baton_events.ids import canonical_json

# So many attempts keep what they printed.
MOST_PRINTED = 3


def started(state: State, now_ms: int) -> Decision:
    """Run the tool with the recorded arguments, unless its processes died too often or the job's time is over."""
    item, record = state.item, state.the_call
    if now_ms >= state.job.deadline_ms:
        late = f"the limit wall_seconds={state.job.limits.wall_seconds} is reached"
        return failed(state, ToolFailed(Failure("limit_exceeded", late)), now_ms)
    if record.retries == ONCE and (unsure := may_have_run(item, record)):
        return failed(state, ToolFailed(unsure), now_ms)
    if no_start_left(item, _made(item, record) - 1, record.retries):
        return failed(state, ToolFailed(process_died(item, f"tool {item.tool!r}")), now_ms)
    return Decision(effects=(RunTool(state.job, record, item.attempt - record.questions, item.begun_before),))


def having_printed(state: State, text: str) -> State:
    """Return the state with what this attempt's code printed, beside that of those before it."""
    record, attempt = state.the_call, state.item.attempt - state.the_call.questions
    printed = (*(each for each in record.printed if each[0] != attempt), (attempt, text))
    return replace(state, call=replace(record, printed=printed[-MOST_PRINTED:]))


def wait_for_approval(state: State, step_result: ToolNeedsApproval, now_ms: int) -> Decision:
    """Let the call wait before it runs or goes on, until a person has approved it, or answered."""
    if step_result.form is not None:
        state = replace(state, call=replace(state.the_call, **_run(state.the_call, state.item)))
    return approvals.wait_for_approval(state, step_result, now_ms)


def returned(state: State, step_result: ToolReturned, now_ms: int) -> Decision:
    """Record the result; the next work item takes it in."""
    item = state.item
    begun = _begun(state.the_call, item, Step.RETURN)
    operation = step_result.operation_id
    record = _closed(state.the_call, **begun, error=None, finished_at_ms=now_ms, operation_id=operation)
    edited = _edited(state.the_call)
    edited_json = "" if edited is None else canonical_json(edited)
    result = ok_record(step_result.result_json, step_result.kept_json, step_result.apart_bytes, edited_json)
    return Decision(
        Changes(
            calls=(record,),
            items=(following(item, ItemKind.COMPLETE, now_ms),),
            results={record.id: result},
            parts=(
                *(
                    stream_parts.operation_started(record, step_result.result_json)
                    if operation
                    else (stream_parts.tool_output(record.id, step_result.result_json, step_result.apart_bytes),)
                ),
                *stream_parts.step_completed(record),
                _handled(state, now_ms, "returned"),
            ),
            used=_used(item, now_ms),
            needed_until_ms=step_result.until_ms,
            apart_bytes=step_result.apart_bytes,
        )
    )


def failed(state: State, step_result: ToolFailed, now_ms: int) -> Decision:
    """Record the failure; the next work item decides what follows from it."""
    item = state.item
    record = replace(state.the_call, **_begun(state.the_call, item, Step.ERROR), error=step_result.failure)
    outcome = f"{step_result.failure.type}: {step_result.failure.message}"
    wait_seconds = step_result.retry_after_seconds
    retry_at_ms = now_ms + round(1000 * wait_seconds) if wait_seconds else 0
    return Decision(
        Changes(
            calls=(record,),
            items=(replace(following(item, ItemKind.FAILED, now_ms), retry_at_ms=retry_at_ms),),
            parts=(_handled(state, now_ms, outcome, step_result.failure),),
            used=_used(item, now_ms, failed=True),
        )
    )


def waits(state: State, step_result: ToolWaits, now_ms: int) -> Decision:
    """Let the call wait for what ends it, at most until its own time or the job's deadline.

    A child ends by its own deadline, which is no later than its parent's.
    """
    item, until_ms = state.item, step_result.until_ms
    if until_ms < FOREVER_MS:
        until_ms = min(until_ms, state.job.deadline_ms)
    begun = _begun(state.the_call, item, Step.WAIT)
    child = submitted(step_result.child, now_ms).changes if step_result.child else None
    started = child.job.id if child and child.job else ""
    record = _closed(state.the_call, **begun, error=None, operation_id=step_result.operation_id, child=started)
    waiting = replace(
        following(item, ItemKind.WAIT, now_ms, not_before_ms=until_ms),
        event=step_result.event,
        timeout_result=step_result.timeout_result,
    )
    return Decision(
        Changes(
            calls=(record,),
            items=(waiting,),
            child=child,
            parts=(stream_parts.operation(record, waiting), _handled(state, now_ms, "waits")),
            used=_used(item, now_ms),
        ),
        (Expect(step_result.operation_id, until_ms),) if step_result.operation_id else (),
    )


def runs_again(state: State, step_result: ToolRunsAgain, now_ms: int) -> Decision:
    """Continue the same attempt later, at the latest at the job's deadline."""
    item, at_ms = state.item, min(step_result.at_ms, state.job.deadline_ms)
    record = replace(state.the_call, **_begun(state.the_call, item, Step.WAIT), error=None, memo=step_result.memo)
    again = following(item, ItemKind.CALL, max(now_ms, item.since_ms + 1), not_before_ms=at_ms)
    # A task of days is polled often: only deaths in a row count against it.
    again = replace(again, died=0, offloaded=item.offloaded + 1)
    outcome = f"runs again in {max(0, at_ms - now_ms) / 1000:g} s"
    return Decision(Changes(calls=(record,), items=(again,), parts=(_handled(state, now_ms, outcome),)))


def waited(state: State, now_ms: int) -> Decision:
    """Take in the end of a wait, by its outcome or its timeout; the turn's last call starts the next turn."""
    if state.the_call.tool == LIMIT_APPROVAL:
        return decided(state, now_ms)
    if state.the_call.tool == TOOL_APPROVAL:
        return _decided(state, now_ms)
    item, record, outcome = state.item, state.the_call, json.loads(state.outcome)
    error = outcome.get("error")
    if error is not None:
        return _given_up(state, Failure(error["type"], error["message"]), now_ms)
    done = replace(record, status=next_call_status(record.status, Step.RETURN), finished_at_ms=now_ms)
    apart_bytes = outcome["ok"]["bytes"] if "apart" in outcome else 0
    changes = Changes(
        calls=(done,),
        results={record.id: state.outcome},  # the claim recorded it, too, which a failover may have forgotten
        parts=(
            stream_parts.tool_output(record.id, canonical_json(outcome["ok"]), apart_bytes),
            stream_parts.operation(done, item),
            *stream_parts.step_completed(done),
            _handled(state, now_ms, "waited"),
        ),
    )
    return _over(state, changes, now_ms)


def _decided(state: State, now_ms: int) -> Decision:
    """Take in a person's decision on the call, or its timeout; a call that may not run has failed."""
    verdict = approvals.approved(state, now_ms)
    if isinstance(verdict, Decision):
        return verdict
    refused = replace(state, call=verdict.record, dependants=verdict.dependants)
    decision = _given_up(refused, verdict.failure, now_ms)
    assert decision.changes is not None, "a call that failed changes the job"
    changes, question = decision.changes, verdict.approval
    return replace(
        decision,
        changes=replace(
            changes,
            calls=(question, *changes.calls),
            # The question's comes first: the store checks the end of this wait against it.
            results={question.id: state.outcome, **changes.results},
            parts=(approval_part(question, state.job.id, state.outcome), *changes.parts),
        ),
    )


def taken_in(state: State, now_ms: int) -> Decision:
    """Take in a result that is recorded already; the turn's last call starts the next turn."""
    return _over(state, Changes(parts=(_handled(state, now_ms, "taken in"),)), now_ms)


def retry_or_give_up(state: State, now_ms: int) -> Decision:
    """Retry the call later, counted as an attempt; without attempts left the model is given the error."""
    item, record = state.item, state.the_call
    failure = record.error or Failure("unknown", "the attempt failed")
    made = _made(item, record)
    if failure.retryable and made <= record.retries:
        delay_ms = backoff_ms(record.retry_delay_seconds, made, max(0, item.retry_at_ms - now_ms) / 1000)
        again_ms = min(now_ms + delay_ms, state.job.deadline_ms)
        again = following(item, ItemKind.CALL, now_ms, attempt=item.attempt + 1, not_before_ms=again_ms)
        outcome = f"attempt {made + 1} in {delay_ms / 1000:g} s"
        return Decision(Changes(items=(again,), parts=(_handled(state, now_ms, outcome),)))
    return _given_up(state, failure, now_ms)


def _made(item: WorkItem, record: CallRecord) -> int:
    return item.attempt - record.questions - record.earlier


def _given_up(state: State, failure: Failure, now_ms: int) -> Decision:
    """Give the call up: the model is given the error, or the plan decides about the rest."""
    item, record = state.item, state.the_call
    status = next_call_status(record.status, Step.GIVE_UP)
    failed = _closed(record, status=status, error=failure, finished_at_ms=now_ms)
    result = error_record(failure, _edited(record), retryable=failure.retryable and state.job.model.runs_code)
    parts = (
        stream_parts.tool_error(record.id, failure),
        *((stream_parts.operation(failed, item),) if item.kind is ItemKind.WAIT and not item.approval_of_call else ()),
        *stream_parts.step_completed(failed),
    )
    if failed.on_failure == "fail":
        reason = Failure("step_failed", f"step {failed.step!r} failed: {failure.words}", traceback=failure.traceback)
        ending = end_failed(state.job, item, reason, now_ms, parts)
        assert ending.changes is not None, "an end changes the job"
        return replace(ending, changes=replace(ending.changes, calls=(failed,), results={record.id: result}))
    changes = Changes(
        calls=(failed,),
        results={record.id: result},
        skips=_skipping(failed, state.dependants, now_ms),
        parts=(*parts, _handled(state, now_ms, "the model is given the error")),
    )
    return _over(state, changes, now_ms, failure)


def _handled(state: State, now_ms: int, outcome: str, failure: Failure | None = None) -> str:
    return stream_parts.handled(state.item, now_ms, outcome, failure, call=state.the_call)


def _used(item: WorkItem, now_ms: int, *, failed: bool = False) -> ToolUse:
    return ToolUse(item.tool, failed, max(0, now_ms - item.claimed_ms))


def _closed(record: CallRecord, **changes: Any) -> CallRecord:
    """Return the record of a tool that does not run again, without its memo and the secrets in its arguments."""
    return replace(record, **changes, arguments=redacted(record.arguments), memo={})


def _edited(record: CallRecord) -> dict[str, Any] | None:
    """Return the arguments that a person has put in the place of the model's; None: nobody has."""
    return redacted(record.arguments) if record.idempotency_key != record.id else None


def _run(record: CallRecord, item: WorkItem) -> dict[str, Any]:
    started_at_ms = record.started_at_ms if record.started_at_ms is not None else item.claimed_ms
    status = next_call_status(record.status, Step.RUN)
    return {"status": status, "attempts": item.attempt - record.questions, "started_at_ms": started_at_ms}


def _begun(record: CallRecord, item: WorkItem, step: Step) -> dict[str, Any]:
    """Return the fields that an attempt changes when it runs and then takes this step."""
    run = _run(record, item)
    return run | {"status": next_call_status(run["status"], step)}


def _over(state: State, changes: Changes, now_ms: int, failure: Failure | None = None) -> Decision:
    """Finish a call: the last one of a turn starts the next turn, and an operation's job ends with it."""
    item = state.item
    if state.job.model.runs_code or state.job.scripts:
        return Decision(replace(changes, ended=(item.approval_of_call or item.call_id,)))
    if not state.job.is_operation:
        return Decision(replace(changes, join=Join(item.group, loop_item(item.job_id, item.turn + 1, 1, now_ms))))
    ending = end_operation(state.job, item, failure, now_ms).changes
    assert ending is not None, "an end changes the job"
    parts = (*changes.parts, *ending.parts)
    return Decision(replace(ending, calls=changes.calls, results=changes.results, parts=parts))


def _skipping(failed: CallRecord, dependants: Sequence[CallRecord], now_ms: int) -> tuple[Skip, ...]:
    """Return the skips of all steps after a failed one, where its `on_failure` says so."""
    if failed.on_failure not in ("skip", "replan"):
        return ()
    error = Failure("skipped", f"step {failed.step!r}, which comes before it, failed")
    text = error_record(error)
    skipped = (
        replace(record, status=next_call_status(record.status, Step.CANCEL), error=error, finished_at_ms=now_ms)
        for record in dependants
        if record.status is CallStatus.QUEUED
    )
    return tuple(
        Skip(
            tool_key(ItemKind.CALL, record.id, 1),
            record,
            text,
            (stream_parts.tool_error(record.id, error), *stream_parts.step_completed(record)),
        )
        for record in skipped
    )
