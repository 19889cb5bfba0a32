"""How a job ends: every end has one status, a reason, and takes all work items with it."""

from typing import Any

from msgspec.structs import replace

from baton.core import parts
from baton.core.effects import Alert, Changes, Decision, Report
from baton.core.redriving import THROTTLED_BUDGET
from baton.core.state import Failure, Job, State
from baton.core.step_results import Cancelled, Undeliverable
from baton.core.transitions import JobStatus, Step, next_job_status
from baton.core.work_items import ItemKind, WorkItem
from baton_events.ids import canonical_json

# How often in a row the queue may give up on one work item before the job fails: any progress makes a new work item.
UNDELIVERED_BUDGET = 5


def end_completed(
    job: Job, item: WorkItem, result: dict[str, Any], now_ms: int, said: tuple[str, ...], streamed_text: str
) -> Decision:
    """The model answered."""
    done = _ended(job, item, Step.ANSWER, now_ms, result=result)
    closing = (parts.step_finish(), parts.handled(item, now_ms, "answers"), *parts.finish(done.status))
    return Decision(_ending(done, (*said, *closing), (streamed_text,)))


def end_by_limit(
    job: Job, item: WorkItem, limit: str, now_ms: int, said: tuple[str, ...] = (), *, holder: Job | None = None
) -> Decision:
    """A limit leaves no room: end with the best answer so far, or fail, as the agent's limits say.

    `holder`: whose limit it is: the job itself, or one above it, which shares its limits with the jobs below.
    """
    holder = holder or job
    value = getattr(holder.limits, limit)
    if job.limits.on_limit == "fail":
        whose = "" if holder.id == job.id else f" of job {holder.id}"
        reason = Failure("limit_exceeded", f"the limit {limit}={value}{whose} is reached")
        return end_failed(job, item, reason, now_ms, said)
    return end_stopped(job, item, limit, now_ms, said, value)


def end_stopped(
    job: Job, item: WorkItem, limit: str, now_ms: int, said: tuple[str, ...] = (), value: float | None = None
) -> Decision:
    """A limit stops the job: it ends with the best answer so far."""
    value = getattr(job.limits, limit) if value is None else value
    result = {"answer": job.best_answer, "stoppedBy": limit}
    done = _ended(job, item, Step.ANSWER, now_ms, result=result)
    closing = (parts.handled(item, now_ms, f"stopped by {limit}={value}"), *parts.finish(done.status))
    return Decision(_ending(done, (*said, *closing)))


def end_failed(job: Job, item: WorkItem, failure: Failure, now_ms: int, said: tuple[str, ...] = ()) -> Decision:
    """No way on."""
    done = _ended(job, item, Step.FAIL, now_ms, error=failure)
    outcome = f"{failure.type}: {failure.message}"
    closing = (parts.handled(item, now_ms, outcome, failure), *parts.finish(done.status, failure))
    return Decision(_ending(done, (*said, *closing)))


def cancelled(job: Job, step_result: Cancelled, now_ms: int) -> Decision:
    """Somebody cancels: at once, whatever runs; what still runs finds its work item gone, and its result is dropped."""
    if job.ended or job.run > step_result.run:
        return Decision()
    by = f" by {step_result.by}" if step_result.by else ""
    done = replace(
        job,
        status=next_job_status(job.status, Step.CANCEL),
        finished_at_ms=now_ms,
        error=Failure("cancelled", f"cancelled{by}"),
    )
    return Decision(_ending(done, (parts.abort(f"cancelled{by}"), *parts.finish(done.status))))


def undeliverable(state: State, step_result: Undeliverable, now_ms: int) -> Decision:
    """The queue gave up on an event that still applies: within the budget it is redriven, else the job fails."""
    job, item = state.job, state.item
    if job.ended:
        return Decision()  # only its last word to the admission is left, which the sweep redrives, too
    if not step_result.malformed and item.undelivered <= UNDELIVERED_BUDGET and item.redriven <= THROTTLED_BUDGET:
        return Decision()
    times = "as malformed" if step_result.malformed else f"{item.undelivered + item.redriven} times in a row"
    message = f"the event {item.kind} of turn {item.turn} could not be delivered, {times}: {step_result.reason}"
    decision = end_failed(job, item, Failure("delivery_failed", message), now_ms)
    if state.call and decision.changes and item.kind is ItemKind.CALL:  # the attempt counts: a retry makes the next one
        record = replace(state.call, attempts=item.attempt)
        decision = replace(decision, changes=replace(decision.changes, calls=(record,)))
    return replace(decision, effects=(Alert(job.id, f"job {job.id} failed: {message}"),))


def _ending(done: Job, said: tuple[str, ...], transcript: tuple[str, ...] = ()) -> Changes:
    return Changes(
        job=done,
        transcript=transcript,
        parts=said,
        ends=True,
        closing=(parts.abort("the job that started it has ended"), *parts.finish(JobStatus.CANCELLED)),
        report=Report(done.parent_call, _outcome(done)) if done.parent_call else None,
    )


def _outcome(done: Job) -> str:
    """What the end of a child is to the call that started it: its answer, or why there is none."""
    if done.error is not None:
        message = f"agent {done.agent!r} (job {done.id}): {done.error.message}"
        return canonical_json({"error": {"type": done.error.type, "message": message}})
    result = done.result or {}
    return canonical_json({"ok": result.get("output", result.get("answer", ""))})


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
    )
