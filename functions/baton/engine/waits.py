"""The waits of a job: one line for people with the status that follows, and its checkpoints as people see them.

Invariant: an approval follows from the record of the question and from the recorded decision, which may not have been
taken in yet. Secrets in arguments are not shown. Must not: decide anything.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from baton.engine.all_jobs.slots import SlotState
from baton.engine.state import CallRecord, Job
from baton.engine.transitions import CallStatus, JobStatus
from baton.engine.work_items import ItemKind, WorkItem
from baton.sdk.records.redaction import REDACTED, redacted
from baton.sdk.records.transcript import FOREVER_MS
from baton.sdk.tools.sentence import line_of, question_summary
from baton_events.ids import canonical_json, child_of, digest, operation_id
from baton_events.timestamps import rfc3339

# Tool names of questions among a job's calls; no tool of an agent can have a name with a dot.
LIMIT_APPROVAL = "limit.approval"
# The limit in a question about a budget, and the key of what a turn's work item knows of its budgets.
BUDGET = "budget"
# The key of what the work item of a step knows that this deploy's code cannot do.
UNFIT = "unfit"
TOOL_APPROVAL = "tool.approval"
APPROVALS = frozenset({LIMIT_APPROVAL, TOOL_APPROVAL})
# Whose a question is that the user of the chat decides; in the memo of its wait, too.
USER = "user"
# Outcome of a question that was not decided in time.
EXPIRED = canonical_json({"error": {"type": "expired", "message": "nobody decided in time"}})

_FIELDS = (
    *("id", "jobId", "callId", "type", "status", "title", "summary", "data", "tool", "arguments"),
    *("digest", "createdAt", "expiresAt", "mayDecide", "decidedAt", "decidedBy", "reason", "editedArguments"),
)


class Decider(Struct, frozen=True):
    """Who decides. `name`: as people read it. `person`: whom the decision counts for; empty: whoever has the name.

    `is_operator`: they decide with a key of their own that is good for all tenants, and by no link.
    """

    name: str
    person: str = ""
    is_operator: bool = False


def may_decide(question: CallRecord) -> Literal["operator", "tenant", "user"]:
    """Return who may answer: what is raised for everybody is the operator's alone; `user`: also the chat's user."""
    if question.tool == LIMIT_APPROVAL:
        return "operator" if question.arguments["limit"] == BUDGET else "tenant"
    return "user" if question.arguments.get("by") == USER else "tenant"


def persons_in(approvals: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the people whom these approvals count for."""
    return [str(one.get("person") or one["by"]) for one in approvals]


def tool_digest(tool: str, arguments: dict[str, Any]) -> str:
    """Return the digest that an approval of a tool call is bound to."""
    return digest(tool, arguments)


def info_part(job_id: str, call_id: str, number: str, title: str, data: Any, at_ms: int) -> str:
    """Return the part of a mark that a tool sets; `number`: its place among the call's marks. It blocks nothing."""
    view = {**dict.fromkeys(_FIELDS), "type": "info", "status": "recorded", "title": title, "data": data}
    view["summary"] = line_of(title)
    view |= {"id": f"info_{call_id}-{number}", "jobId": job_id, "callId": call_id, "createdAt": rfc3339(at_ms)}
    return _part(view)


def approval_view(
    approval: CallRecord, job_id: str, decision: Mapping[str, Any], *, ended: bool = False, now_ms: int = 0
) -> dict[str, Any]:
    """Return an approval as people see it.

    `decision`: as it is recorded (empty: none yet). `ended`: its job has ended. `now_ms`: 0: unknown.
    """
    subject = _subject(approval)
    verdict: dict[str, Any] = decision.get("ok") or decision.get("error") or {}
    # A question that a retry has withdrawn is asked anew, under an id of its own.
    status = _status(decision, ended=ended or approval.status is CallStatus.CANCELLED)
    decided_ms = verdict.get("at") or (approval.finished_at_ms if decision else None)
    edited, asked = redacted(verdict.get("arguments")), subject["arguments"]
    about = {name: edited[name] for name in (*asked, *edited) if name in edited} if edited else asked
    return dict.fromkeys(_FIELDS) | {
        "id": operation_id(approval.id),
        "jobId": job_id,
        "type": "approval",
        "status": status,
        **subject,
        "summary": question_summary(subject["title"], subject["tool"], about, has_form="form" in subject),
        "data": redacted(approval.arguments.get("data")),
        "createdAt": rfc3339(approval.started_at_ms or 0),
        "expiresAt": rfc3339(approval.arguments["untilMs"]) if "untilMs" in approval.arguments else None,
        "mayDecide": may_decide(approval),
        "decidedAt": rfc3339(decided_ms) if decided_ms else None,
        "decidedBy": verdict.get("by"),
        "reason": verdict.get("message") or verdict.get("comment") or None,
        "editedArguments": edited,
        **_people(approval, decision),
        **_escalation(approval, decided_ms or (approval.finished_at_ms if ended else now_ms) or 0),
    }


def approvals_after(question: CallRecord, decision: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the approvals with this decision, in order; an edit is approved by its author alone."""
    before: list[dict[str, Any]] = question.arguments.get("approvals", [])
    verdict = decision.get("ok")
    if verdict is None:
        return before
    edited, asked = verdict.get("arguments"), question.arguments["arguments"]
    edits = edited is not None and restored(edited, asked) != asked
    signed = {name: verdict[name] for name in ("by", "person", "at") if name in verdict}
    return [*([] if edits else before), {"by": None, "at": None} | signed]


def _people(question: CallRecord, decision: Mapping[str, Any]) -> dict[str, Any]:
    """Return how many people must approve, and who has; empty where one is enough."""
    if "people" not in question.arguments:
        return {}
    approvals = [{"by": one["by"], "at": rfc3339(one["at"])} for one in approvals_after(question, decision)]
    return {"people": question.arguments["people"], "approvals": approvals}


def _escalation(approval: CallRecord, until_ms: int) -> dict[str, Any]:
    """Return when more people are notified of an open question, or were. It follows from the question alone."""
    at_ms = approval.arguments.get("escalateMs")
    return {"escalatedAt" if at_ms <= until_ms else "escalatesAt": rfc3339(at_ms)} if at_ms else {}


def approval_part(approval: CallRecord, job_id: str, outcome: str = "") -> str:
    """Return the part of an approval in the job's stream."""
    return _part(approval_view(approval, job_id, json.loads(outcome) if outcome else {}))


def _part(view: dict[str, Any]) -> str:
    """Return a part with an id of its own: a client replaces an earlier part of the same id by it."""
    return canonical_json({"type": "data-checkpoint", "id": view["id"], "data": view})


def restored(edited: Any, original: Any) -> Any:
    """Return the edited arguments with hidden values restored: a secret left as it was shown keeps its value.

    Where it is not clear which of several secrets is meant, the hidden form stays, and `left_hidden` finds it.
    """
    if edited == original or edited == redacted(original):
        return original
    match edited:
        case dict() if isinstance(original, dict):
            return {
                name: restored(item, original.get(name)) if item != REDACTED else _of(original, name)
                for name, item in edited.items()
            }
        case list() if isinstance(original, list):
            return [_item(item, at, edited, original) for at, item in enumerate(edited)]
        case _:
            return edited


def left_hidden(arguments: Any, original: Any) -> bool:
    """Return whether a secret that was not shown is still missing."""
    return REDACTED in canonical_json(arguments) and REDACTED not in canonical_json(original)


def _of(original: dict[str, Any], name: str) -> Any:
    return original[name] if redacted(original).get(name) == REDACTED else REDACTED


def _item(item: Any, at: int, edited: list[Any], original: list[Any]) -> Any:
    """Return an item of an edited list with hidden values restored; moved items are found by their shown form."""
    shown = [redacted(one) for one in original]
    aligned = len(edited) == len(original)
    if aligned and item == shown[at]:
        return original[at]
    meant = {canonical_json(one) for one, seen in zip(original, shown, strict=True) if seen == item}
    if len(meant) == 1:
        return json.loads(meant.pop())
    return restored(item, original[at]) if aligned and shown[at] not in edited else item


def _status(decision: Mapping[str, Any], *, ended: bool) -> str:
    if not decision:
        return "cancelled" if ended else "pending"
    return "approved" if "ok" in decision else str(decision["error"]["type"])


def _subject(approval: CallRecord) -> dict[str, Any]:
    about = approval.arguments
    if approval.tool == LIMIT_APPROVAL:
        asked = {name: value for name, value in about.items() if name != "untilMs"}
        return {
            "title": limit_text(asked),
            "callId": approval.id,
            "tool": None,
            "arguments": asked,
            "digest": tool_digest(approval.tool, asked),
        }
    return {
        "title": about["title"],
        "callId": about["callId"],
        "tool": about["tool"],
        "arguments": redacted(about["arguments"]),
        "digest": about["digest"],
        **({"form": about["form"]} if "form" in about else {}),
    }


_WHAT = {
    ItemKind.LOOP: "the model's turn {turn}",
    ItemKind.CALL: "tool {tool}",
    ItemKind.COMPLETE: "the result of tool {tool} to be processed",
    ItemKind.FAILED: "the failure of tool {tool} to be processed",
    ItemKind.WAIT: "the outcome of tool {tool}",
    ItemKind.SLOT_REQUEST: "a place among the jobs at work",
    ItemKind.REMEMBER: "its memory to be stored",
    ItemKind.NOTIFY: "its end to be sent out",
    ItemKind.RELEASE: "its workspace to be released",
}
# What code that runs has not: it takes no turns.
_TURN = r"('s turn| in turn| for turn) [0-9]+"
A_SLOT = "its turn: as many jobs are at work as may be at once, or its session has one at work"
IN_BOUND = "a job of its tenant to end or wait: as many are at work as the tenant's bound of {} (MAX_JOBS_PER_TENANT)"
STOPPED = "an operator to let jobs start again, on the console's first page"


def status_and_wait(
    job: Job,
    items: Sequence[WorkItem],
    slot_state: SlotState,
    now_ms: int,
    *,
    stopped: bool = False,
    of_tenant: int = 0,
) -> tuple[JobStatus, str | None]:
    """Return the status as people see it, and what the job waits for; None once it has ended.

    `stopped`: the admission grants no slots at present. `of_tenant`: nor to its tenant, which has so many at work.
    `waiting` and the first `processing` are not stored: they follow from the work items, the slot and the time.
    """
    if job.ended:
        return job.status, None
    status, waits_for = _status_and_wait(
        job, items, slot_state, now_ms, STOPPED if stopped else IN_BOUND.format(of_tenant) if of_tenant else A_SLOT
    )
    if job.model.runs_code:
        waits_for = re.sub(_TURN, "", waits_for).replace("the outcome of tool sleep,", "its sleep,")
        waits_for = waits_for.replace("fits the model", "fits its steps so far").replace("the model", "its code")
    if job.cancelling is None:
        return status, waits_for
    by = f" by {job.cancelling.sender}" if job.cancelling.sender else ""
    return status, f"its code to clean up after a cancel{by}, until {rfc3339(job.cancelling.until_ms)}: {waits_for}"


def _status_and_wait(
    job: Job, items: Sequence[WorkItem], slot_state: SlotState, now_ms: int, slot: str
) -> tuple[JobStatus, str]:
    idle = JobStatus.PENDING if job.status is JobStatus.PENDING else JobStatus.WAITING
    steps = [item for item in items if item.kind is not ItemKind.SLOT_REQUEST]
    claimed = [item for item in steps if item.owner and item.lease_until_ms > now_ms]
    due = [item for item in steps if item.not_before_ms <= now_ms]
    if claimed:
        return JobStatus.PROCESSING, f"{_names(claimed)}, at work"
    if due and not slot_state.slot and all(item.needs_slot for item in due):
        return idle, slot
    limited = [item for item in due if item.limited_by]
    if due:
        return idle if limited == due else job.status, _names(limited or due)
    if not steps:
        return job.status, "nothing that is recorded; the next sweep checks it"
    return idle, _wait(min(steps, key=lambda item: item.not_before_ms), job)


def _wait(first: WorkItem, job: Job) -> str:
    if first.offloaded and first.kind is ItemKind.LOOP:
        what = "until" if "id" not in first.memo else "which its provider works on; it is looked at again at"
        return f"the model's answer in turn {first.turn}, {what} {rfc3339(first.not_before_ms)}"
    if unfit := first.memo.get(UNFIT):
        since, again = rfc3339(unfit["since"]), rfc3339(first.not_before_ms)
        return f"code that fits {_name(first)}, since {since}, tried again at {again}: {unfit['why']}"
    if first.limited_by:  # it comes within a minute of the end of the period, which people are shown
        until_ms = first.not_before_ms - first.not_before_ms % 60_000
        return f"the {first.limited_by} for turn {first.turn}, until {rfc3339(until_ms)}"
    return _until(first, job)


def _until(first: WorkItem, job: Job) -> str:
    if first.kind is not ItemKind.WAIT:
        return f"{_name(first)}, not before {rfc3339(first.not_before_ms)}"
    if first.not_before_ms >= FOREVER_MS:
        return f"job {child_of(first.call_id, job.run)}, which tool {first.tool} started"
    if first.tool == LIMIT_APPROVAL:
        return f"a decision about a limit, until {rfc3339(first.not_before_ms)}"
    if first.approval_of_call:
        by = " of the chat's user" if first.memo.get("by") == USER else ""
        return f"a decision{by} about tool {first.tool}, until {rfc3339(first.not_before_ms)}"
    what = f"event {first.event!r}" if first.event else _name(first)
    limit = ", the job's limit wall_seconds" if first.not_before_ms == job.deadline_ms else ""
    return f"{what}, until {rfc3339(first.not_before_ms)}{limit}"


def _names(items: Sequence[WorkItem]) -> str:
    more = f" and {len(items) - 1} more" if len(items) > 1 else ""
    return _name(items[0]) + more


def _name(item: WorkItem) -> str:
    attempt = f" (attempt {item.attempt})" if item.attempt > 1 else ""
    limit = f"the {item.limited_by} for " if item.limited_by else ""
    return limit + _WHAT[item.kind].format(turn=item.turn, tool=item.tool) + attempt


def limit_text(about: Mapping[str, Any]) -> str:
    """Say which limit stops a job; of a budget also what it has left, and what the call may cost, if that is known."""
    if about["limit"] != BUDGET:
        return f"the limit {about['limit']}={about['value']} is reached"
    unit, asked = about["unit"], about.get("asked", 0)
    left, cost = (
        amount_text(unit, each).partition(" ")[0] for each in (max(0, about["value"] - about["spent"]), asked)
    )
    of = f"the budget {about['key']!r} of {amount_text(unit, about['value'])} for {about['period']}"
    return f"{of} has {left} left" + (f", and this call may cost {cost}" if asked else "")


def amount_text(unit: str, value: float) -> str:
    """Return an amount of money or tokens for people: cents at least, and no more than they need."""
    if unit == "tokens":
        return f"{value:.0f} tokens"
    whole, _, rest = f"{value:.6f}".partition(".")
    return f"{whole}.{rest.rstrip('0'):0<2} USD"
