"""What a job that has not ended waits for, in one line, and the status that this makes. Pure.

Source: decisions/0003-pure-core.
"""

from collections.abc import Sequence

from baton.core.admission import SlotState
from baton.core.checkpoint import LIMIT_APPROVAL
from baton.core.state import Job
from baton.core.transitions import JobStatus
from baton.core.work_items import FOREVER_MS, WORK_KINDS, ItemKind, WorkItem
from baton_events.ids import child_of
from baton_events.timestamps import rfc3339

_WHAT = {
    ItemKind.LOOP: "the model's turn {turn}",
    ItemKind.CALL: "tool {tool} of turn {turn}",
    ItemKind.COMPLETE: "the result of tool {tool} of turn {turn} to be processed",
    ItemKind.FAILED: "the failure of tool {tool} of turn {turn} to be processed",
    ItemKind.WAIT: "the outcome of tool {tool} of turn {turn}",
    ItemKind.SLOT_REQUEST: "the admission's answer to its slot request",
    ItemKind.REMEMBER: "its memory to be stored",
}
A_SLOT = "a free slot, and its turn in its session"
STOPPED = "an operator to start the admission, which is stopped"


def status_and_wait(
    job: Job, items: Sequence[WorkItem], slot_state: SlotState, now_ms: int, *, stopped: bool = False
) -> tuple[JobStatus, str | None]:
    """The status as people see it, and what the job waits for; None once it has ended.

    `stopped`: nobody is given a slot at present.
    `waiting` and the first `processing` are not stored: they follow from the work items, the slot and the time.
    """
    if job.ended:
        return job.status, None
    idle = JobStatus.PENDING if job.status is JobStatus.PENDING else JobStatus.WAITING
    steps = [item for item in items if item.kind is not ItemKind.SLOT_REQUEST]
    claimed = [item for item in steps if item.owner and item.lease_until_ms > now_ms]
    due = [item for item in steps if item.not_before_ms <= now_ms]
    if claimed:
        return JobStatus.PROCESSING, _names(claimed)
    if due and not slot_state.slot and all(item.kind in WORK_KINDS for item in due):
        return idle, STOPPED if stopped else A_SLOT
    if due:
        return job.status, _names(due)
    if not steps:
        return job.status, "nothing that is recorded; the next sweep checks it"
    return idle, _wait(min(steps, key=lambda item: item.not_before_ms), job.run)


def _wait(first: WorkItem, run: int) -> str:
    if first.kind is not ItemKind.WAIT:
        return f"{_name(first)}, not before {rfc3339(first.not_before_ms)}"
    if first.not_before_ms >= FOREVER_MS:
        return f"job {child_of(first.call_id, run)}, which tool {first.tool} of turn {first.turn} started"
    if first.tool == LIMIT_APPROVAL:
        return f"a decision about a limit, until {rfc3339(first.not_before_ms)}"
    if first.approval_of_call:
        return f"a decision about tool {first.tool} of turn {first.turn}, until {rfc3339(first.not_before_ms)}"
    what = f"event {first.event!r}" if first.event else _name(first)
    return f"{what}, until {rfc3339(first.not_before_ms)}"


def _names(items: Sequence[WorkItem]) -> str:
    more = f" and {len(items) - 1} more" if len(items) > 1 else ""
    return _name(items[0]) + more


def _name(item: WorkItem) -> str:
    attempt = f" (attempt {item.attempt})" if item.attempt > 1 else ""
    return _WHAT[item.kind].format(turn=item.turn, tool=item.tool) + attempt
