"""Questions to a person: before a tool call runs, and before a job goes on beyond a limit.

Only a decision ends such a wait, or its timeout. Invariant: the first decision stays, as the outcome of any wait does.
An approval raises the limit of this job alone, or a budget for everybody; a rejection, or a timeout, ends the job as if
the limit said `stop`.

A tool call's question holds a digest of tool and arguments: a decision about other arguments finds no question. Once
approved, the call runs as the next attempt with those arguments. Where several people must approve, each has a question
of their own, which names the approvals before it; an edit begins anew, approved by its author.
"""

import json
from collections.abc import Mapping
from dataclasses import replace as dataclass_replace
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from baton.engine import stream_parts
from baton.engine.effects import Changes, Decision
from baton.engine.lifecycle import end_stopped
from baton.engine.outbox import command_event
from baton.engine.state import CallRecord, Job, State
from baton.engine.step_results import ToolNeedsApproval
from baton.engine.transitions import CallStatus, Step, next_call_status, next_job_status
from baton.engine.waits import (
    BUDGET,
    EXPIRED,
    LIMIT_APPROVAL,
    TOOL_APPROVAL,
    USER,
    approval_part,
    approvals_after,
    persons_in,
    restored,
    tool_digest,
)
from baton.engine.work_items import ItemKind, WorkItem, following, loop_item, tool_key
from baton.sdk.records.limits import doubled, is_number
from baton.sdk.records.redaction import redacted
from baton.sdk.records.transcript import FOREVER_MS, Failure
from baton_events.ids import call_id, event_id
from baton_events.schema import AgentLoopInit, Completion
from baton_events.timestamps import moment

_LIMIT_POSITION = 1_000_000
# In the outcome of a question whose budget was raised meanwhile: its turn asks for room anew, and raises nothing.
RAISED = "raised"
DECISION_TIME_MS = 7 * 86_400_000


def _limit_question(job: Job, turn: int, attempt: int, about: Mapping[str, Any]) -> str:
    """Return the id of a question about a limit. It has none of the sums, so who asks for room knows it before."""
    named = {name: about[name] for name in ("limit", "key", "per", "unit") if name in about}
    return call_id(job.id, turn, _LIMIT_POSITION + attempt, LIMIT_APPROVAL, named)


def raised_event(job: Job, turn: int, attempt: int, key: str, per: str, unit: str) -> AgentLoopInit:
    """Return the event by which a raise of a budget answers the question that this attempt of a turn asks about it."""
    question = _limit_question(job, turn, attempt, {"limit": BUDGET, "key": key, "per": per, "unit": unit})
    answer = Completion(call_id=question, outcome={"ok": {RAISED: True, "by": "a raise of the limit"}}, run=job.run)
    return command_event(event_id(f"raised:{question}"), job.id, job.session_id, moment(job.created_at_ms), answer)


def wait_for_limit(job: Job, item: WorkItem, arguments: dict[str, Any], now_ms: int) -> Decision:
    """Let the turn wait for a decision about a limit of its job, or a budget; after an approval it asks again."""
    until_ms = min(now_ms + DECISION_TIME_MS, job.ends_by_ms or FOREVER_MS)
    position = _LIMIT_POSITION + item.attempt
    record = CallRecord(
        id=_limit_question(job, item.turn, item.attempt, arguments),
        turn=item.turn,
        position=position,
        tool=LIMIT_APPROVAL,
        arguments={**arguments, "untilMs": until_ms},
        status=CallStatus.WAITING,
        attempts=item.attempt,
        started_at_ms=now_ms,
    )
    waits = replace(
        loop_item(job.id, item.turn, item.attempt, now_ms, until_ms),
        key=tool_key(ItemKind.WAIT, record.id, item.attempt),
        kind=ItemKind.WAIT,
        position=position,
        call_id=record.id,
        tool=LIMIT_APPROVAL,
        timeout_result=EXPIRED,
    )
    waiting_job = replace(job, status=next_job_status(job.status, Step.TURN), turn=item.turn, attempts=item.attempt)
    what = f"the budget {arguments['key']!r}" if arguments["limit"] == BUDGET else arguments["limit"]
    parts = (approval_part(record, job.id), stream_parts.handled(item, now_ms, f"asks about {what}"))
    return Decision(Changes(job=waiting_job, calls=(record,), items=(waits,), parts=parts))


def decided(state: State, now_ms: int) -> Decision:
    """Take in a person's decision about a limit, or its timeout."""
    item, record, outcome = state.item, state.the_call, json.loads(state.outcome)
    error, about = outcome.get("error"), record.arguments
    limit = f"{BUDGET}:{about['key']}" if about["limit"] == BUDGET else about["limit"]
    # The claim recorded it, too; where a failover forgot that, the store decides whether it holds.
    kept = {record.id: state.outcome}
    status = next_call_status(record.status, Step.RETURN if error is None else Step.GIVE_UP)
    closed = replace(record, status=status, finished_at_ms=now_ms)
    if error is not None:
        refused = replace(closed, error=Failure(error["type"], error["message"]))
        parts = (approval_part(refused, state.job.id, state.outcome),)
        ending = end_stopped(state.job, item, limit, now_ms, parts, value=about["value"])
        assert ending.changes is not None, "an end changes the job"
        return replace(ending, changes=replace(ending.changes, calls=(refused,), results=kept))
    value, again = raised_limit(record, outcome["ok"]), loop_item(state.job.id, item.turn, item.attempt + 1, now_ms)
    # To ask is no attempt of a call.
    raised = replace(state.job, earlier=state.job.earlier + 1)
    if about["limit"] == BUDGET and RAISED not in outcome["ok"]:
        # Its store is another one. So the next attempt raises it before it asks for room, however often it begins.
        again = replace(again, memo={BUDGET: {**about, "raise": value}})
    elif about["limit"] != BUDGET:
        changed: dict[str, Any] = {limit: value}
        raised = replace(raised, limits=dataclass_replace(raised.limits, **changed))
    shown = (
        approval_part(closed, state.job.id, state.outcome),
        stream_parts.handled(item, now_ms, f"{limit} is raised"),
    )
    return Decision(Changes(job=raised, calls=(closed,), items=(again,), results=kept, parts=shown))


def raised_limit(record: CallRecord, decision: dict[str, Any]) -> float:
    """Return the limit that was decided, or at most twice the old one; a budget may have been set to 0."""
    value: Any = (decision.get("arguments") or {}).get("value")
    limit, unit = record.arguments["value"], record.arguments.get("unit", record.arguments["limit"])
    return value if is_number(value) and value > limit else doubled(unit, limit)


# Positions after a turn's calls and its questions about limits; each attempt that asks has its own.
_POSITION, _ATTEMPTS = 2_000_000, 1_000
# Outcome of an attempt that only waits for an approval.
NEEDS_APPROVAL = "asks for approval"


class Refused(Struct, frozen=True):
    """A call without approval: the closed question, the call that it is about, and why the call may not run."""

    approval: CallRecord
    record: CallRecord
    dependants: tuple[CallRecord, ...]
    failure: Failure


def wait_for_approval(state: State, step_result: ToolNeedsApproval, now_ms: int) -> Decision:
    """Let the call wait for a decision; nothing runs meanwhile."""
    item, record = state.item, state.the_call
    until_ms = min(step_result.until_ms, state.job.deadline_ms)
    about: dict[str, Any] = {"title": step_result.title, "untilMs": until_ms}
    about |= {"escalateMs": step_result.escalates_ms} if 0 < step_result.escalates_ms < until_ms else {}
    about |= {"people": step_result.people, "approvals": []} if step_result.people > 1 else {}
    about |= {"data": step_result.data} if step_result.data is not None else {}
    about |= {"form": step_result.form} if step_result.form is not None else {}
    about |= {"by": USER} if step_result.of_user else {}
    approval = _question(state.job, record, item.attempt, step_result.arguments, about, now_ms)
    waiting = replace(
        record,
        status=next_call_status(record.status, Step.REQUEST_APPROVAL),
        questions=record.questions + 1,
        error=None,
        memo=step_result.memo if step_result.form is not None else record.memo,
    )
    question = _wait(item, approval, record, item.attempt, now_ms)
    parts = (approval_part(approval, state.job.id), stream_parts.handled(item, now_ms, NEEDS_APPROVAL))
    return Decision(Changes(calls=(waiting, approval), items=(question,), parts=parts))


def _question(
    job: Job, record: CallRecord, attempt: int, arguments: dict[str, Any], about: dict[str, Any], now_ms: int
) -> CallRecord:
    exact = {"callId": record.id, "tool": record.tool, "arguments": arguments}
    position = _POSITION + _ATTEMPTS * record.position + attempt
    # The id has the earlier approvals, so a decision never meets a question that a failover gave other approvals.
    before = {"by": persons_in(approvals)} if (approvals := about.get("approvals")) else {}
    return CallRecord(
        id=call_id(job.id, record.turn, position, TOOL_APPROVAL, {**exact, **before}),
        turn=record.turn,
        position=position,
        tool=TOOL_APPROVAL,
        arguments={**exact, "digest": tool_digest(record.tool, arguments), **about},
        status=CallStatus.WAITING,
        # Loaded to take the decision in: the call itself, then the steps after it.
        dependants=(record.id, *record.dependants),
        started_at_ms=now_ms,
    )


def _wait(item: WorkItem, question: CallRecord, record: CallRecord, attempt: int, now_ms: int) -> WorkItem:
    return replace(
        following(item, ItemKind.WAIT, now_ms, attempt=attempt, not_before_ms=question.arguments["untilMs"]),
        key=tool_key(ItemKind.WAIT, question.id, attempt),
        call_id=question.id,
        position=question.position,
        approval_of_call=record.id,
        timeout_result=EXPIRED,
        memo={"by": USER} if question.arguments.get("by") == USER else {},
        after="",
    )


def approved(state: State, now_ms: int) -> Decision | Refused:
    """Return the decision by which the call runs with its approved arguments, or why it may not run."""
    item, approval, outcome = state.item, state.the_call, json.loads(state.outcome)
    record = _the_subject(state)
    closed = replace(
        approval,
        status=next_call_status(approval.status, Step.RETURN if "ok" in outcome else Step.GIVE_UP),
        arguments=redacted(approval.arguments),
        finished_at_ms=now_ms,
    )
    if "form" in approval.arguments:
        return _answered(state, closed, record, outcome, now_ms)
    if "ok" not in outcome:
        failure = Failure(outcome["error"]["type"], outcome["error"]["message"])
        return Refused(replace(closed, error=failure), record, state.dependants[1:], failure)
    arguments = _decided_arguments(approval, outcome)
    approvals = approvals_after(approval, outcome)
    if len(approvals) < approval.arguments.get("people", 1):
        return _next_question(state, closed, arguments, approvals, now_ms)
    runs = replace(
        record,
        status=next_call_status(record.status, Step.APPROVE),
        arguments=arguments,
        approved=tool_digest(record.tool, arguments),
    )
    edited = outcome["ok"].get("arguments") is not None
    words = "approved with edited arguments" if edited else "approved"
    return _goes_on(state, closed, runs, _runs(item, record, now_ms), words, now_ms)


def _answered(state: State, closed: CallRecord, record: CallRecord, outcome: dict[str, Any], now_ms: int) -> Decision:
    """Continue the attempt with a person's answer, or with the reason for having none."""
    if "ok" in outcome:
        words, answer = "answer", {"answer": _decided_arguments(state.the_call, outcome)}
    else:
        words, answer = "refused", {"refused": outcome["error"]["type"], "reason": outcome["error"]["message"]}
    runs = replace(record, status=next_call_status(record.status, Step.APPROVE), memo={**record.memo, **answer})
    return _goes_on(state, closed, runs, replace(_runs(state.item, record, now_ms), died=0), words, now_ms)


def _decided_arguments(question: CallRecord, outcome: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a decision: the question's, or as a person has edited them."""
    original, edited = question.arguments["arguments"], outcome["ok"].get("arguments")
    arguments: dict[str, Any] = original if edited is None else restored(edited, original)
    return arguments


def _goes_on(state: State, closed: CallRecord, runs: CallRecord, item: WorkItem, words: str, now_ms: int) -> Decision:
    return Decision(
        Changes(
            calls=(closed, runs),
            items=(item,),
            # The claim recorded it, too; where a failover forgot that, the store decides whether it holds.
            results={closed.id: state.outcome},
            parts=(approval_part(closed, state.job.id, state.outcome), stream_parts.handled(state.item, now_ms, words)),
        )
    )


def _next_question(
    state: State, closed: CallRecord, arguments: dict[str, Any], approvals: list[dict[str, Any]], now_ms: int
) -> Decision:
    item, before, record = state.item, state.the_call.arguments, _the_subject(state)
    about: dict[str, Any] = {
        name: before[name] for name in ("title", "untilMs", "escalateMs", "people", "data") if name in before
    }
    attempt = item.attempt + 1
    question = _question(state.job, record, attempt, arguments, {**about, "approvals": approvals}, now_ms)
    waiting = replace(record, questions=record.questions + 1)
    parts = (
        approval_part(closed, state.job.id, state.outcome),
        approval_part(question, state.job.id),
        stream_parts.handled(item, now_ms, "approved, and asks another person"),
    )
    return Decision(
        Changes(
            calls=(closed, waiting, question),
            items=(_wait(item, question, record, attempt, now_ms),),
            results={closed.id: state.outcome},
            parts=parts,
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
        memo={},
    )
