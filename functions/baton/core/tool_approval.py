"""Asking a person before a tool call runs: its own wait, which only a decision ends, or its time.

The attempt that finds that it may not run asks, and ends with that; the call then runs, as the next attempt, with the
arguments that were approved, or fails. The question has a record and an id of its own, in which is a digest of tool
and arguments: a decision about other arguments than those that are asked about now, as after a failover, finds no
question. Invariant: the first decision stays, as the outcome of any wait does.
"""

import json

from msgspec import Struct
from msgspec.structs import replace

from baton.core import parts
from baton.core.checkpoint import EXPIRED, TOOL_APPROVAL, approval_part, restored, tool_digest
from baton.core.effects import Changes, Decision
from baton.core.redaction import redacted
from baton.core.state import CallRecord, Failure, State
from baton.core.step_results import ToolAsks
from baton.core.transitions import CallStatus, Step, next_call_status
from baton.core.work_items import ItemKind, WorkItem, following, tool_key
from baton_events.ids import call_id

# After the calls of a turn, and after questions about limits; each attempt that asks has a place of its own.
_POSITION, _ATTEMPTS = 2_000_000, 1_000
# What an attempt comes to that only asks.
ASKS = "asks for approval"


class Refused(Struct, frozen=True):
    """Nobody approved: the question as it is closed, the call that it was about, and why it may not run."""

    asked: CallRecord
    record: CallRecord
    dependants: tuple[CallRecord, ...]
    failure: Failure


def asks(state: State, step_result: ToolAsks, now_ms: int) -> Decision:
    """The call waits for a decision; nothing runs meanwhile."""
    item, record = state.item, state.the_call
    until_ms = min(step_result.until_ms, state.job.deadline_ms)
    exact = {"callId": record.id, "tool": record.tool, "arguments": step_result.arguments}
    position = _POSITION + _ATTEMPTS * record.position + item.attempt
    asked = CallRecord(
        id=call_id(state.job.id, record.turn, position, TOOL_APPROVAL, exact),
        turn=record.turn,
        position=position,
        tool=TOOL_APPROVAL,
        arguments={
            **exact,
            "title": step_result.title,
            "digest": tool_digest(record.tool, step_result.arguments),
            "untilMs": until_ms,
        },
        status=CallStatus.WAITING,
        # Who takes the decision in is told of these: the call itself, then the steps that come after it.
        dependants=(record.id, *record.dependants),
        started_at_ms=now_ms,
    )
    waiting = replace(record, status=next_call_status(record.status, Step.ASK), asked=record.asked + 1, error=None)
    question = replace(
        following(item, ItemKind.WAIT, now_ms, not_before_ms=until_ms),
        key=tool_key(ItemKind.WAIT, asked.id, item.attempt),
        call_id=asked.id,
        position=position,
        approval_of_call=record.id,
        timeout_result=EXPIRED,
        after="",
    )
    said = (approval_part(asked, state.job.id), parts.handled(item, now_ms, ASKS))
    return Decision(Changes(calls=(waiting, asked), items=(question,), parts=said))


def asked_in(question: CallRecord, record: CallRecord) -> int:
    """In which attempt of this call that was asked; 0: it is no question about it."""
    if question.tool != TOOL_APPROVAL or question.dependants[:1] != (record.id,):
        return 0
    return question.position - _POSITION - _ATTEMPTS * record.position


def approved(state: State, now_ms: int) -> Decision | Refused:
    """What became of the question: the call runs with the arguments that were approved, or it may not run."""
    item, asked, outcome = state.item, state.the_call, json.loads(state.outcome)
    record = _the_subject(state)
    closed = replace(
        asked,
        status=next_call_status(asked.status, Step.RETURN if "ok" in outcome else Step.GIVE_UP),
        arguments=redacted(asked.arguments),
        finished_at_ms=now_ms,
    )
    if "ok" not in outcome:
        failure = Failure(outcome["error"]["type"], outcome["error"]["message"])
        return Refused(replace(closed, error=failure), record, state.dependants[1:], failure)
    original, edited = asked.arguments["arguments"], outcome["ok"].get("arguments")
    arguments = original if edited is None else restored(edited, original)
    runs = replace(
        record,
        status=next_call_status(record.status, Step.APPROVE),
        arguments=arguments,
        approved=tool_digest(record.tool, arguments),
    )
    said = (
        approval_part(closed, state.job.id, state.outcome),
        parts.handled(item, now_ms, "approved" if edited is None else "approved with edited arguments"),
    )
    return Decision(
        Changes(
            calls=(closed, runs),
            items=(_runs(item, record, now_ms),),
            # Recorded when this was begun, too, which a failover may have forgotten: then it is not for us to say.
            results={asked.id: state.outcome},
            parts=said,
        )
    )


def _the_subject(state: State) -> CallRecord:
    if not state.dependants:
        raise ValueError(f"{state.item.key} asks about a call that has no record: the stored state is damaged")
    return state.dependants[0]


def _runs(item: WorkItem, record: CallRecord, now_ms: int) -> WorkItem:
    return replace(
        following(item, ItemKind.CALL, now_ms, attempt=item.attempt + 1),
        key=tool_key(ItemKind.CALL, record.id, item.attempt + 1),
        call_id=record.id,
        position=record.position,
        approval_of_call="",
        timeout_result="",
    )
