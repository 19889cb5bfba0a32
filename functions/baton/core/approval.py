"""Asking a person before a job goes on beyond a limit: a wait that only a decision ends, or its time.

Invariant: the first decision stays, as the outcome of any wait does. Who approves raises the limit of this job, of no
other; who rejects, or decides nothing in time, ends it as if the limit said `stop`.
"""

import json
from dataclasses import replace
from typing import Any

from msgspec import structs

from baton.core import parts
from baton.core.checkpoint import EXPIRED, LIMIT_APPROVAL, approval_part
from baton.core.effects import Changes, Decision
from baton.core.ending import end_stopped
from baton.core.state import CallRecord, Failure, Job, State
from baton.core.transitions import CallStatus, Step, next_call_status, next_job_status
from baton.core.work_items import ItemKind, WorkItem, loop_item, tool_key
from baton_events.ids import call_id

_POSITION = 1_000_000
DECISION_TIME_MS = 7 * 86_400_000


def ask(job: Job, item: WorkItem, limit: str, now_ms: int) -> Decision:
    """The turn waits for a decision; what was asked of the model meanwhile is asked again if the answer is yes."""
    arguments, until_ms = {"limit": limit, "value": getattr(job.limits, limit)}, now_ms + DECISION_TIME_MS
    position = _POSITION + item.attempt
    record = CallRecord(
        id=call_id(job.id, item.turn, position, LIMIT_APPROVAL, arguments),
        turn=item.turn,
        position=position,
        tool=LIMIT_APPROVAL,
        arguments={**arguments, "untilMs": until_ms},
        status=CallStatus.WAITING,
        attempts=item.attempt,
        started_at_ms=now_ms,
    )
    waits = WorkItem(
        key=tool_key(ItemKind.WAIT, record.id, item.attempt),
        kind=ItemKind.WAIT,
        job_id=job.id,
        turn=item.turn,
        attempt=item.attempt,
        position=position,
        call_id=record.id,
        tool=LIMIT_APPROVAL,
        timeout_result=EXPIRED,
        not_before_ms=until_ms,
        since_ms=now_ms,
    )
    asking = structs.replace(job, status=next_job_status(job.status, Step.TURN), turn=item.turn, attempts=item.attempt)
    said = (approval_part(record, job.id), parts.handled(item, now_ms, f"asks about {limit}"))
    return Decision(Changes(job=asking, calls=(record,), items=(waits,), parts=said))


def decided(state: State, now_ms: int) -> Decision:
    """A person has decided, or nobody has in time."""
    item, record, outcome = state.item, state.the_call, json.loads(state.outcome)
    error, limit = outcome.get("error"), record.arguments["limit"]
    # Recorded when this was begun, too, which a failover may have forgotten: then it is not for us to say.
    kept = {record.id: state.outcome}
    if error is not None:
        failure = Failure(error["type"], error["message"])
        refused = structs.replace(
            record,
            status=next_call_status(record.status, Step.GIVE_UP),
            error=failure,
            finished_at_ms=now_ms,
        )
        ending = end_stopped(state.job, item, limit, now_ms, (approval_part(refused, state.job.id, state.outcome),))
        assert ending.changes is not None, "an end changes the job"
        return structs.replace(ending, changes=structs.replace(ending.changes, calls=(refused,), results=kept))
    approved = structs.replace(record, status=next_call_status(record.status, Step.RETURN), finished_at_ms=now_ms)
    changed: dict[str, Any] = {limit: _raised(record, outcome["ok"])}
    raised = structs.replace(state.job, limits=replace(state.job.limits, **changed))
    again = loop_item(state.job.id, item.turn, item.attempt + 1, now_ms)
    said = (approval_part(approved, state.job.id, state.outcome), parts.handled(item, now_ms, f"{limit} is raised"))
    return Decision(Changes(job=raised, calls=(approved,), items=(again,), results=kept, parts=said))


def _raised(record: CallRecord, decision: dict[str, object]) -> float:
    """What was decided, or as much again as the limit was."""
    edited = decision.get("arguments")
    value = edited.get("value") if isinstance(edited, dict) else None
    asked: float = record.arguments["value"]
    return value if isinstance(value, int | float) and not isinstance(value, bool) and value > asked else 2 * asked
