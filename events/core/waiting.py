"""What a job that has not ended waits for, in one line, and the status that this makes (DESIGN 1). Pure."""

from collections.abc import Sequence

from events.core.legs import Leg, LegKind
from events.core.state import Job
from events.core.transitions import JobStatus
from events.timestamps import rfc3339

_WHAT = {
    LegKind.LOOP: "the model's turn {turn}",
    LegKind.CALL: "tool {tool} of turn {turn}",
    LegKind.COMPLETE: "the result of tool {tool} of turn {turn} to be taken in",
    LegKind.FAILED: "the failure of tool {tool} of turn {turn} to be taken in",
}


def status_and_wait(job: Job, legs: Sequence[Leg], now_ms: int) -> tuple[JobStatus, str | None]:
    """The status as people see it, and what the job waits for; None once it has ended.

    `waiting` and the first `processing` are not stored: they follow from the legs and the time.
    """
    if job.ended:
        return job.status, None
    claimed = [leg for leg in legs if leg.owner and leg.lease_until_ms > now_ms]
    due = claimed or [leg for leg in legs if leg.not_before_ms <= now_ms]
    if claimed:
        return JobStatus.PROCESSING, _names(claimed)
    if due:
        return job.status, _names(due)
    if not legs:
        return job.status, "nothing that is recorded; the sweep will look at it"
    first = min(legs, key=lambda leg: leg.not_before_ms)
    line = f"{_name(first)}, not before {rfc3339(first.not_before_ms)}"
    return (JobStatus.PENDING if job.status is JobStatus.PENDING else JobStatus.WAITING), line


def _names(legs: Sequence[Leg]) -> str:
    more = f" and {len(legs) - 1} more" if len(legs) > 1 else ""
    return _name(legs[0]) + more


def _name(leg: Leg) -> str:
    attempt = f" (attempt {leg.attempt})" if leg.attempt > 1 else ""
    return _WHAT[leg.kind].format(turn=leg.turn, tool=leg.tool) + attempt
