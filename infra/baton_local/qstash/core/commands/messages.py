"""`/v2/messages` and `/v2/dlq` (qstash.md 12, 13), but for what is finished: that is in the log."""

from dataclasses import replace
from http import HTTPStatus
from typing import Any

from baton_local.qstash.core.answer import Answer, Request, bad_request, not_found, ok
from baton_local.qstash.core.commands.queues import queue_for_enqueue
from baton_local.qstash.core.lifecycle import admit, cancel
from baton_local.qstash.core.message import DlqEntry, Live
from baton_local.qstash.core.selection import FOR_DLQ, FOR_MESSAGES, Query, Selection, parse_selection
from baton_local.qstash.core.state import Tenant, Transition
from baton_local.qstash.core.views import dlq_view

_MAX_CANCEL, _MAX_COUNT = 500, 100


def cancel_message(step: Transition, tenant: Tenant, request: Request) -> Answer:
    """Count 1 if the message was unfinished, else 0; whether it ever existed is the caller's question to storage."""
    live = tenant.live.get(request.param("id"))
    return _cancelled(step, tenant, [] if live is None or live.cancel_requested else [live])


def cancel_messages(step: Transition, tenant: Tenant, request: Request) -> Answer:
    """Cancel what is selected, oldest first where there is a count; the answer counts what was unfinished."""
    selection = _strict(request, FOR_MESSAGES, _MAX_CANCEL)
    chosen = [live for live in _candidates(tenant, selection) if not live.cancel_requested]
    limit = selection.limit(len(chosen))
    answer = _cancelled(step, tenant, chosen[:limit])
    if len(chosen) > limit:
        answer.body["cursor"] = str(chosen[limit - 1].message.seq)
    return answer


def _candidates(tenant: Tenant, selection: Selection) -> list[Live]:
    ids = selection.values.get("messageId")
    found = tenant.live.values() if ids is None else filter(None, (tenant.live.get(each) for each in sorted(ids)))
    after = selection.cursor or 0
    return [
        live for live in found if live.message.seq > after and selection.takes(live.message, live.message.created_at_ms)
    ]


def _cancelled(step: Transition, tenant: Tenant, chosen: list[Live]) -> Answer:
    for live in reversed(chosen):  # newest first, so that no queue moves on to one that is about to be cancelled
        cancel(step, tenant, live)
    return ok({"cancelled": len(chosen)})


def _strict(request: Request, known: frozenset[str], max_count: int) -> Selection:
    """Return a selection from the query (JS) or a JSON body of ids (Python); what is unknown is refused."""
    return parse_selection([*request.query_pairs(), *_ids_in_body(request)], known, max_count=max_count, strict=True)


def _ids_in_body(request: Request) -> Query:
    if not request.body.strip():
        return []
    body = request.json()
    if not isinstance(body, dict):
        raise bad_request('body: must be an object like {"messageIds": ["msg_..."]}')
    pairs: list[tuple[str, str]] = []
    for name, value in body.items():
        values = value if isinstance(value, list) else [value]
        if not all(isinstance(each, str | int) and not isinstance(each, bool) for each in values):
            raise bad_request(f"{name[:80]}: must be a text or a list of texts")
        pairs += [(name, str(each)) for each in values or [""]]  # an empty list selects nothing, never everything
    return pairs


def list_dead_letters(_step: Transition, tenant: Tenant, request: Request) -> Answer:
    """Return one page, newest first."""
    selection = parse_selection(request.query_pairs(), FOR_DLQ, max_count=_MAX_COUNT, strict=False)
    limit, before = selection.limit(_MAX_COUNT), selection.cursor
    page: list[DlqEntry] = []
    for entry in reversed(tenant.dlq.values()):
        if (before is None or entry.seq < before) and _takes(selection, entry):
            page.append(entry)
            if len(page) > limit:
                break
    body: dict[str, Any] = {"messages": [dlq_view(entry) for entry in page[:limit]]}
    if len(page) > limit:
        body["cursor"] = str(page[limit - 1].seq)
    return ok(body)


def get_dead_letter(_step: Transition, tenant: Tenant, request: Request) -> Answer:
    return ok(dlq_view(_entry(tenant, request)))


def delete_dead_letter(step: Transition, tenant: Tenant, request: Request) -> Answer:
    """Delete one; a second time it is unknown."""
    step.drop(tenant, "dlq", _entry(tenant, request).id)
    return ok()


def delete_dead_letters(step: Transition, tenant: Tenant, request: Request) -> Answer:
    """Delete many; unknown ids are skipped."""
    chosen, cursor = _oldest(tenant, request)
    for entry in chosen:
        step.drop(tenant, "dlq", entry.id)
    return ok({"deleted": len(chosen)} | cursor)


def retry_dead_letter(step: Transition, tenant: Tenant, request: Request) -> Answer:
    """Take the entry out of the DLQ at once and make it a new message."""
    return Answer(HTTPStatus.CREATED, _retry(step, tenant, _entry(tenant, request)))


def retry_dead_letters(step: Transition, tenant: Tenant, request: Request) -> Answer:
    """Retry many; nothing found is an empty list."""
    chosen, cursor = _oldest(tenant, request)
    return Answer(HTTPStatus.CREATED, {"responses": [_retry(step, tenant, entry) for entry in chosen]} | cursor)


def _entry(tenant: Tenant, request: Request) -> DlqEntry:
    dlq_id = request.param("id")
    if dlq_id not in tenant.dlq:
        raise not_found(f"DLQ entry {dlq_id[:80]!r} does not exist; it may have been deleted or retried")
    return tenant.dlq[dlq_id]


def _takes(selection: Selection, entry: DlqEntry) -> bool:
    return (
        selection.takes_value("dlqId", entry.id)
        and selection.takes_value("responseStatus", str(entry.result.status))
        and selection.takes(entry.message, entry.failed_at_ms)
    )


def _oldest(tenant: Tenant, request: Request) -> tuple[list[DlqEntry], dict[str, str]]:
    selection = _strict(request, FOR_DLQ, _MAX_COUNT)
    limit, after = selection.limit(_MAX_COUNT), selection.cursor or 0
    if "dlqId" in selection.values:  # ids are all meant, however many
        limit = max(limit, len(selection.values["dlqId"]))
    chosen: list[DlqEntry] = []
    for entry in tenant.dlq.values():
        if entry.seq > after and _takes(selection, entry):
            if len(chosen) == limit:
                return chosen, {"cursor": str(chosen[-1].seq)}
            chosen.append(entry)
    return chosen, {}


def _retry(step: Transition, tenant: Tenant, entry: DlqEntry) -> dict[str, str]:
    step.drop(tenant, "dlq", entry.id)
    message = replace(
        entry.message,
        seq=step.state.next_seq(),
        id=step.state.ids.new_id("msg"),
        created_at_ms=step.now_ms,
        not_before_ms=step.now_ms,
        holds_queue=None,
        holds_turn_of=None,
    )
    if message.queue is not None:
        queue_for_enqueue(step, tenant, message.queue)
    step.increment(tenant, "derived")
    admit(step, tenant, message)
    return {"messageId": message.id}
