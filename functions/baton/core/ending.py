"""How a job ends: every end has one status, a reason, and takes all legs with it."""

from typing import Any

from msgspec.structs import replace

from baton.core import parts
from baton.core.driving import THROTTLED_BUDGET
from baton.core.effects import Alert, Changes, Decision, Report
from baton.core.happenings import Cancelled, Undeliverable
from baton.core.legs import Leg, LegKind
from baton.core.state import Failure, Job, State
from baton.core.transitions import JobStatus, Step, next_job_status
from baton_events.ids import canonical_json

# How often in a row the queue may give up on one leg before the job fails: any progress makes a new leg.
UNDELIVERED_BUDGET = 5


def end_completed(
    job: Job, leg: Leg, result: dict[str, Any], now_ms: int, said: tuple[str, ...], spoken: str
) -> Decision:
    """The model answered."""
    done = _ended(job, leg, Step.ANSWER, now_ms, result=result)
    closing = (parts.step_finish(), parts.handled(leg, now_ms, "answers"), *parts.finish(done.status))
    return Decision(_ending(done, (*said, *closing), (spoken,)))


def end_by_limit(
    job: Job, leg: Leg, limit: str, now_ms: int, said: tuple[str, ...] = (), *, holder: Job | None = None
) -> Decision:
    """A limit leaves no room: end with the best answer so far, or fail, as the agent's limits say.

    `holder`: whose limit it is: the job itself, or one above it, which shares its limits with the jobs below.
    """
    holder = holder or job
    value = getattr(holder.limits, limit)
    if job.limits.on_limit == "fail":
        whose = "" if holder.id == job.id else f" of job {holder.id}"
        reason = Failure("limit_exceeded", f"the limit {limit}={value}{whose} is reached")
        return end_failed(job, leg, reason, now_ms, said)
    return end_stopped(job, leg, limit, now_ms, said, value)


def end_stopped(
    job: Job, leg: Leg, limit: str, now_ms: int, said: tuple[str, ...] = (), value: float | None = None
) -> Decision:
    """A limit stops the job: it ends with the best answer so far."""
    value = getattr(job.limits, limit) if value is None else value
    result = {"answer": job.best_answer, "stoppedBy": limit}
    done = _ended(job, leg, Step.ANSWER, now_ms, result=result)
    closing = (parts.handled(leg, now_ms, f"stopped by {limit}={value}"), *parts.finish(done.status))
    return Decision(_ending(done, (*said, *closing)))


def end_failed(job: Job, leg: Leg, failure: Failure, now_ms: int, said: tuple[str, ...] = ()) -> Decision:
    """No way on."""
    done = _ended(job, leg, Step.FAIL, now_ms, error=failure)
    outcome = f"{failure.type}: {failure.message}"
    closing = (parts.handled(leg, now_ms, outcome, failure), *parts.finish(done.status, failure))
    return Decision(_ending(done, (*said, *closing)))


def cancelled(job: Job, happened: Cancelled, now_ms: int) -> Decision:
    """Somebody cancels: at once, whatever runs; what still runs finds its leg gone, and its result is dropped."""
    if job.ended or job.run > happened.run:
        return Decision()
    by = f" by {happened.by}" if happened.by else ""
    done = replace(
        job,
        status=next_job_status(job.status, Step.CANCEL),
        finished_at_ms=now_ms,
        error=Failure("cancelled", f"cancelled{by}"),
    )
    return Decision(_ending(done, (parts.abort(f"cancelled{by}"), *parts.finish(done.status))))


def undeliverable(state: State, happened: Undeliverable, now_ms: int) -> Decision:
    """The queue gave up on an event that still applies: within the budget it is driven again, else the job fails."""
    job, leg = state.job, state.leg
    if job.ended:
        return Decision()  # only its last word to the admission is left, which the sweep drives, too
    if not happened.malformed and leg.undelivered <= UNDELIVERED_BUDGET and leg.driven <= THROTTLED_BUDGET:
        return Decision()
    times = "as malformed" if happened.malformed else f"{leg.undelivered + leg.driven} times in a row"
    message = f"the event {leg.kind} of turn {leg.turn} could not be delivered, {times}: {happened.reason}"
    decision = end_failed(job, leg, Failure("delivery_failed", message), now_ms)
    if state.call and decision.changes and leg.kind is LegKind.CALL:  # the attempt counts: a retry makes the next one
        record = replace(state.call, attempts=leg.attempt)
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
    leg: Leg,
    step: Step,
    now_ms: int,
    *,
    result: dict[str, Any] | None = None,
    error: Failure | None = None,
) -> Job:
    return replace(
        job,
        status=next_job_status(job.status, step),
        turn=leg.turn,
        attempts=leg.attempt if leg.kind is LegKind.LOOP else job.attempts,
        started_at_ms=job.started_at_ms if job.started_at_ms is not None else leg.claimed_ms or now_ms,
        finished_at_ms=now_ms,
        result=result,
        error=error,
    )
