"""The beginning and the end of a job, and its follow-ups after that: to remember it, send it out, release what it had.

Every end has one status and a reason, and removes all work items. Follow-ups are work items that outlive the end, so
nothing waits for them and no crash loses them.
"""

from typing import Any

from msgspec.structs import replace

from baton.engine import stream_parts
from baton.engine.all_jobs.slots import SlotState, wanted
from baton.engine.attempts import THROTTLED_BUDGET, backoff_ms, process_died
from baton.engine.effects import Alert, Changes, Decision, Notify, Release, Remember, Report
from baton.engine.state import Cancelling, Job, State, error_record
from baton.engine.step_results import NotFollowedUp, Submitted, Undeliverable
from baton.engine.transcript import task_entry
from baton.engine.transitions import JobStatus, Step, next_job_status
from baton.engine.work_items import (
    WORKSPACE,
    ItemKind,
    WorkItem,
    follow_up_again,
    loop_item,
    notify_item,
    release_item,
    remember_item,
    slot_request_item,
)
from baton.sdk.records.limits import first_reserve
from baton.sdk.records.transcript import Failure
from baton_events.ids import canonical_json
from baton_events.schema import Cancellation


def submitted(step_result: Submitted, now_ms: int) -> Decision:
    """Create a new job: its work items are its first turn and, without a slot, a slot request."""
    job = replace(step_result.job, reserve_tokens=first_reserve(step_result.job.limits))
    first = loop_item(job.id, job.turn, 1, now_ms, job.start_at_ms)
    slot_state = first_slot_state(job, now_ms, slot=step_result.slot)
    continues = (step_result.task.get("chat") or {}).get("continues")
    slot_request = (
        ()
        if slot_state.slot or slot_state.want == "none"
        else (slot_request_item(job.id, slot_state.want, slot_state.epoch, now_ms),)
    )
    return Decision(
        Changes(
            job=job,
            slot_state=slot_state,
            items=(first, *slot_request),
            transcript=(task_entry(step_result.task),),
            parts=(stream_parts.start(job.id), *((stream_parts.continues(continues),) if continues else ())),
        )
    )


def first_slot_state(job: Job, now_ms: int, *, slot: bool = False) -> SlotState:
    """Return a new job's slot state: a job that is to start later wants nothing yet.

    The same submission may arrive before and after its start: then the later update, with the higher request epoch,
    counts.
    """
    first = loop_item(job.id, job.turn, 1, now_ms, job.start_at_ms)
    want = wanted(SlotState(), (first,), ended=False, now_ms=now_ms)
    return SlotState(want, 1 if want == "slot" else 0, slot and want == "slot")


# How often in a row the queue may give up on one work item before the job fails: any progress makes a new work item.
UNDELIVERED_BUDGET = 5


def end_completed(
    job: Job, item: WorkItem, result: dict[str, Any], now_ms: int, parts: tuple[str, ...], streamed_text: str
) -> Decision:
    """End the job with the model's answer."""
    if job.cancelling is not None:
        return _end_cancelled(job, item, now_ms, parts, streamed_text)
    done = _ended(job, item, Step.ANSWER, now_ms, result=result)
    closing = (
        stream_parts.step_finish(),
        stream_parts.handled(item, now_ms, "answers"),
        *stream_parts.finish(done.status),
    )
    return Decision(_ending(done, (*parts, *closing), (streamed_text,)))


def end_by_limit(
    job: Job, item: WorkItem, limit: str, now_ms: int, parts: tuple[str, ...] = (), *, holder: Job | None = None
) -> Decision:
    """End the job by a limit: with the best answer so far, or as failed, by its `on_limit`.

    `holder`: the job that has the limit: the job itself, or one above it, which shares its limits with the jobs below.
    """
    holder = holder or job
    whose = "" if holder.id == job.id else f" of job {holder.id}"
    return end_stopped(job, item, limit, now_ms, parts, value=getattr(holder.limits, limit), whose=whose)


def end_stopped(
    job: Job, item: WorkItem, limit: str, now_ms: int, parts: tuple[str, ...], *, value: float, whose: str = ""
) -> Decision:
    """End the job by a limit. Without any answer it fails, whatever its `on_limit`: nobody takes that for a success."""
    if job.cancelling is not None:
        return _end_cancelled(job, item, now_ms, parts)
    best = {"answer": job.best_answer} if isinstance(job.best_answer, str) else job.best_answer
    has_answer = not isinstance(job.best_answer, str) or bool(job.best_answer.strip())
    if job.limits.on_limit == "fail" or not has_answer:
        early = "" if has_answer else ", and there is no answer yet"
        reason = Failure("limit_exceeded", f"the limit {limit}={value}{whose} is reached{early}")
        return end_failed(job, item, reason, now_ms, parts)
    done = _ended(job, item, Step.ANSWER, now_ms, result={**best, "stoppedBy": limit})
    closing = (stream_parts.handled(item, now_ms, f"stopped by {limit}={value}"), *stream_parts.finish(done.status))
    return Decision(_ending(done, (*parts, *closing)))


def end_failed(job: Job, item: WorkItem, failure: Failure, now_ms: int, parts: tuple[str, ...] = ()) -> Decision:
    """End the job as failed, and alert people."""
    if job.cancelling is not None:
        return _end_cancelled(job, item, now_ms, parts, failure=failure)
    done = _ended(job, item, Step.FAIL, now_ms, error=failure)
    outcome = f"{failure.type}: {failure.message}"
    closing = (stream_parts.handled(item, now_ms, outcome, failure), *stream_parts.finish(done.status, failure))
    text = f"job {job.id} failed: {outcome} (agent {job.agent!r})"
    return Decision(_ending(done, (*parts, *closing)), (Alert(job.id, text, counted=f"{job.agent}:{failure.type}"),))


def end_operation(job: Job, item: WorkItem, failure: Failure | None, now_ms: int) -> Decision:
    """End an operation's job, since its call has returned or failed for good."""
    done = _ended(job, item, Step.FAIL if failure else Step.ANSWER, now_ms, error=failure)
    return Decision(_ending(done, stream_parts.finish(done.status, failure)))


def _end_cancelled(
    job: Job, item: WorkItem, now_ms: int, parts: tuple[str, ...], entry: str = "", failure: Failure | None = None
) -> Decision:
    assert job.cancelling is not None, "its cancel is recorded"
    words = _cancelled_by(job.cancelling.sender)
    done = _ended(job, item, Step.CANCEL, now_ms, error=Failure("cancelled", words))
    outcome = f"{failure.type}: {failure.message}" if failure else "has cleaned up"
    closing = (stream_parts.handled(item, now_ms, outcome, failure), stream_parts.abort(words))
    entries = (entry,) if entry else ()
    return Decision(_ending(done, (*parts, *closing, *stream_parts.finish(done.status)), entries))


def _cancelled_by(by: str) -> str:
    return f"cancelled by {by}" if by else "cancelled"


# The error of a job that was cancelled and is no part of its session's conversation.
ROLLED_BACK = "rolled_back"
# How long code may clean up after a cancel.
_CLEAN_UP_MS = 3_600_000


def cancelled(job: Job, command: Cancellation, now_ms: int) -> Decision:
    """Cancel the job at once; a step that still runs finds its work item gone, and its result is dropped.

    Code that has begun is told first, and cleans up; a second cancel, or one by force, ends it at once.
    """
    if job.ended or job.run > command.run:
        return Decision()
    words = _cancelled_by(command.by)
    cleans_up = job.model.runs_code and job.stretch and not job.is_operation
    if cleans_up and not command.force and not command.rolls_back:
        if job.cancelling is not None:  # the same one came again
            return Decision()
        cancelling = Cancelling(command.by, now_ms + _CLEAN_UP_MS)
        return Decision(Changes(job=replace(job, cancelling=cancelling), parts=(stream_parts.cancelling(words),)))
    done = replace(
        job,
        status=next_job_status(job.status, Step.CANCEL),
        finished_at_ms=now_ms,
        error=Failure(ROLLED_BACK if command.rolls_back else "cancelled", words),
    )
    parts = (stream_parts.abort(words), *stream_parts.finish(done.status))
    if job.is_operation:
        parts = (stream_parts.operation_cancelled(job.id), *parts)
    return Decision(_ending(done, parts))


def undeliverable(state: State, step_result: Undeliverable, now_ms: int) -> Decision:
    """Decide on an event that the queue gave up on: within the budget it is replayed, else the job fails."""
    job, item = state.job, state.item
    if job.ended:
        return Decision()  # only its last slot request is left, which the sweep replays, too
    if not step_result.malformed and item.undelivered <= UNDELIVERED_BUDGET and item.replayed <= THROTTLED_BUDGET:
        return Decision()
    times = "as malformed" if step_result.malformed else f"{item.undelivered + item.replayed} times in a row"
    message = f"the event {item.kind} of turn {item.turn} could not be delivered, {times}: {step_result.reason}"
    decision = end_failed(job, item, Failure("delivery_failed", message), now_ms)
    if state.call and decision.changes and item.kind is ItemKind.CALL:  # the attempt counts: a retry makes the next one
        record = replace(state.call, attempts=item.attempt)
        decision = replace(decision, changes=replace(decision.changes, calls=(record,)))
    return decision


# The last parts of a job that ends with the one that started it.
CLOSING = (stream_parts.abort("nothing waits for it any more"), *stream_parts.finish(JobStatus.CANCELLED))


def _ending(done: Job, parts: tuple[str, ...], transcript: tuple[str, ...] = ()) -> Changes:
    return Changes(
        job=done,
        transcript=transcript,
        parts=parts,
        ends=True,
        closing=CLOSING,
        report=Report(done.parent_call, outcome_of(done)) if done.parent_call else None,
    )


def outcome_of(done: Job) -> str:
    """Return a child's end as the outcome of the call that started it: its answer, or why there is none."""
    if done.error is not None:
        return error_record(replace(done.error, message=f"agent {done.agent!r} (job {done.id}): {done.error.message}"))
    result = done.result or {}
    answer = result.get("output", None if done.model.runs_code else result.get("answer", ""))
    return canonical_json({"ok": {"answer": answer, "cut": True} if result.get("cut") else answer})


def _ended(
    job: Job,
    item: WorkItem,
    step: Step,
    now_ms: int,
    *,
    result: dict[str, Any] | None = None,
    error: Failure | None = None,
) -> Job:
    return replace(
        job,
        status=next_job_status(job.status, step),
        turn=item.turn,
        attempts=item.attempt if item.kind is ItemKind.LOOP else job.attempts,
        started_at_ms=job.started_at_ms if job.started_at_ms is not None else item.claimed_ms or now_ms,
        finished_at_ms=now_ms,
        result=result,
        error=error,
        scripts=() if result is not None else job.scripts,  # a retry goes on with them
    )


# 5 s, 10 s, … 43 min: an hour and a half in all; a notification or a release then each hour, for a day in all.
FOLLOW_UP_ATTEMPTS = {ItemKind.REMEMBER: 10, ItemKind.NOTIFY: 34, ItemKind.RELEASE: 34}
FOLLOW_UP_DELAY_SECONDS = 5.0
# How often in a row the queue may give up on the work item: any attempt makes a new one.
FOLLOW_UP_UNDELIVERED_BUDGET = 5
_NOT_DONE = {
    ItemKind.REMEMBER: "is not remembered",
    ItemKind.NOTIFY: "has ended, and that could not be sent out",
    ItemKind.RELEASE: "has ended, and its workspace could not be released",
}


# A handler's job sends only its failure, as a dead letter; no session goes on after a cancelled operation.
_SENT_TO_NOBODY = {"event": (JobStatus.COMPLETED, JobStatus.CANCELLED), "session": (JobStatus.CANCELLED,)}


def after_end(decision: Decision, now_ms: int) -> Decision:
    """Return the decision; where it ends a job, with the work items of its follow-ups."""
    changes = decision.changes
    job = changes.job if changes and changes.ends else None
    if changes is None or job is None:
        return decision
    items = list(changes.items)
    if job.remembers and job.status is JobStatus.COMPLETED:
        items.append(remember_item(job.id, job.turn, 1, now_ms))
    if is_sent_out(job) or is_abandoned(job) or is_rolled_back(job):
        items.append(notify_item(job.id, job.run, 1, now_ms))
    if job.model.has_workspace:
        items.append(release_item(job.id, job.run, job.workspace, now_ms))
    if len(items) == len(changes.items):
        return decision
    return replace(decision, changes=replace(changes, items=tuple(items)))


def is_sent_out(job: Job) -> bool:
    return bool(job.notifies) and job.status not in _SENT_TO_NOBODY.get(job.notifies.partition(":")[0], ())


def is_abandoned(job: Job) -> bool:
    """Return whether a provider may still work for an ended job, by its runner. A failed job may be retried."""
    return job.status is JobStatus.CANCELLED and job.model.calls_read_history and not job.is_operation


def is_rolled_back(job: Job) -> bool:
    """Return whether the operations that the job's calls have started in its session are to be taken back."""
    is_out = job.status is JobStatus.CANCELLED and job.error is not None and job.error.type == ROLLED_BACK
    return is_out and job.used.tool_calls > 0 and not job.is_operation


def follow_up(state: State) -> Decision:
    """Do the follow-up, unless its processes have died too often: each such death counts as an attempt."""
    job, item = state.job, state.item
    if item.attempt + item.abandoned > FOLLOW_UP_ATTEMPTS[item.kind]:
        return _never_followed_up(state, process_died(item, item.kind).message)
    if item.kind is ItemKind.RELEASE:
        was_busy = item.attempt == 1 and item.not_before_ms > 0
        release = Release(job, item.turn, item.memo.get(WORKSPACE, ""), item.since_ms if was_busy else 0)
        return Decision(effects=(release,))
    return Decision(effects=(Remember(job) if item.kind is ItemKind.REMEMBER else Notify(job),))


def not_followed_up(state: State, step_result: NotFollowedUp, now_ms: int) -> Decision:
    """Retry the follow-up later, counted as an attempt; without attempts left it is dropped, with an alert."""
    item, failure = state.item, step_result.failure
    if not failure.retryable or item.attempt >= FOLLOW_UP_ATTEMPTS[item.kind]:
        return _never_followed_up(state, f"{failure.type}: {failure.message}")
    delay_ms = backoff_ms(FOLLOW_UP_DELAY_SECONDS, item.attempt)
    return Decision(Changes(items=(follow_up_again(item, now_ms, now_ms + delay_ms),)))


def follow_up_undeliverable(state: State, step_result: Undeliverable) -> Decision:
    """Decide on a follow-up that the queue gave up on: within the budget it is replayed, else it is dropped."""
    worn = state.item.undelivered > FOLLOW_UP_UNDELIVERED_BUDGET or state.item.replayed > THROTTLED_BUDGET
    if not step_result.malformed and not worn:
        return Decision()
    return _never_followed_up(state, step_result.reason)


def _never_followed_up(state: State, reason: str) -> Decision:
    return Decision(Changes(), (Alert(state.job.id, f"job {state.job.id} {_NOT_DONE[state.item.kind]}: {reason}"),))
