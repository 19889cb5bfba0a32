"""What a job that has not ended waits for, in one line, and the status that this makes (DESIGN 1). Pure."""

from collections.abc import Sequence

from baton.core.admission import Standing
from baton.core.checkpoint import LIMIT_APPROVAL
from baton.core.legs import FOREVER_MS, WORK_KINDS, Leg, LegKind
from baton.core.state import Job
from baton.core.transitions import JobStatus
from baton_events.ids import child_of
from baton_events.timestamps import rfc3339

_WHAT = {
    LegKind.LOOP: "the model's turn {turn}",
    LegKind.CALL: "tool {tool} of turn {turn}",
    LegKind.COMPLETE: "the result of tool {tool} of turn {turn} to be taken in",
    LegKind.FAILED: "the failure of tool {tool} of turn {turn} to be taken in",
    LegKind.WAIT: "the outcome of tool {tool} of turn {turn}",
    LegKind.WISH: "the admission to hear what it wishes",
    LegKind.REMEMBER: "its memory to be stored",
}
A_SLOT = "a free slot, and its turn in its session"
STOPPED = "an operator to start the admission, which is stopped"


def status_and_wait(
    job: Job, legs: Sequence[Leg], standing: Standing, now_ms: int, *, stopped: bool = False
) -> tuple[JobStatus, str | None]:
    """The status as people see it, and what the job waits for; None once it has ended.

    `stopped`: nobody is given a slot at present.
    `waiting` and the first `processing` are not stored: they follow from the legs, the slot and the time.
    """
    if job.ended:
        return job.status, None
    idle = JobStatus.PENDING if job.status is JobStatus.PENDING else JobStatus.WAITING
    steps = [leg for leg in legs if leg.kind is not LegKind.WISH]
    claimed = [leg for leg in steps if leg.owner and leg.lease_until_ms > now_ms]
    due = [leg for leg in steps if leg.not_before_ms <= now_ms]
    if claimed:
        return JobStatus.PROCESSING, _names(claimed)
    if due and not standing.slot and all(leg.kind in WORK_KINDS for leg in due):
        return idle, STOPPED if stopped else A_SLOT
    if due:
        return job.status, _names(due)
    if not steps:
        return job.status, "nothing that is recorded; the sweep will look at it"
    return idle, _wait(min(steps, key=lambda leg: leg.not_before_ms), job.run)


def _wait(first: Leg, run: int) -> str:
    if first.kind is not LegKind.WAIT:
        return f"{_name(first)}, not before {rfc3339(first.not_before_ms)}"
    if first.not_before_ms >= FOREVER_MS:
        return f"job {child_of(first.call_id, run)}, which tool {first.tool} of turn {first.turn} started"
    if first.tool == LIMIT_APPROVAL:
        return f"a decision about a limit, until {rfc3339(first.not_before_ms)}"
    if first.asks_for:
        return f"a decision about tool {first.tool} of turn {first.turn}, until {rfc3339(first.not_before_ms)}"
    what = f"event {first.event!r}" if first.event else _name(first)
    return f"{what}, until {rfc3339(first.not_before_ms)}"


def _names(legs: Sequence[Leg]) -> str:
    more = f" and {len(legs) - 1} more" if len(legs) > 1 else ""
    return _name(legs[0]) + more


def _name(leg: Leg) -> str:
    attempt = f" (attempt {leg.attempt})" if leg.attempt > 1 else ""
    return _WHAT[leg.kind].format(turn=leg.turn, tool=leg.tool) + attempt
