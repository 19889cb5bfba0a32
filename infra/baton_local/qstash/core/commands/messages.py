"""Commands on messages and dead letters: look up, list, cancel, delete, retry (qstash.md 12, 13)."""

from dataclasses import replace
from http import HTTPStatus
from typing import Any

from baton_local.qstash.core.answer import Answer, not_found
from baton_local.qstash.core.commands.queues import queue_for_enqueue
from baton_local.qstash.core.lifecycle import admit, cancel
from baton_local.qstash.core.message import DlqEntry, Live
from baton_local.qstash.core.selection import Selection
from baton_local.qstash.core.state import Transition
from baton_local.qstash.core.tenant import Tenant
from baton_local.qstash.core.views import dlq_view


def cancel_message(step: Transition, tenant: Tenant, message_id: str) -> Answer:
    """Count 1 if the message was unfinished, else 0; whether it ever existed is the caller's question to storage."""
    live = tenant.live.get(message_id)
    return _cancelled(step, tenant, [] if live is None or live.cancel_requested else [live])


def cancel_messages(step: Transition, tenant: Tenant, selection: Selection) -> Answer:
    """Cancel what is selected, oldest first where there is a count; the answer counts what was unfinished."""
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
    return Answer(HTTPStatus.OK, {"cancelled": len(chosen)})


MAX_COUNT = 100


def list_dead_letters(tenant: Tenant, selection: Selection) -> Answer:
    """Return one page, newest first."""
    limit, before = selection.limit(MAX_COUNT), selection.cursor
    page: list[DlqEntry] = []
    for entry in reversed(tenant.dlq.values()):
        if (before is None or entry.seq < before) and _takes(selection, entry):
            page.append(entry)
            if len(page) > limit:
                break
    body: dict[str, Any] = {"messages": [dlq_view(entry) for entry in page[:limit]]}
    if len(page) > limit:
        body["cursor"] = str(page[limit - 1].seq)
    return Answer(HTTPStatus.OK, body)


def get_dead_letter(tenant: Tenant, dlq_id: str) -> Answer:
    return Answer(HTTPStatus.OK, dlq_view(_entry(tenant, dlq_id)))


def delete_dead_letter(step: Transition, tenant: Tenant, dlq_id: str) -> Answer:
    """Delete one; a second time it is unknown."""
    _drop(step, tenant, _entry(tenant, dlq_id))
    return Answer(HTTPStatus.OK)


def delete_dead_letters(step: Transition, tenant: Tenant, selection: Selection) -> Answer:
    """Delete many; unknown ids are skipped."""
    chosen, cursor = _oldest(tenant, selection)
    for entry in chosen:
        _drop(step, tenant, entry)
    return Answer(HTTPStatus.OK, {"deleted": len(chosen)} | cursor)


def retry_dead_letter(step: Transition, tenant: Tenant, dlq_id: str) -> Answer:
    """Take the entry out of the DLQ at once and make it a new message."""
    return Answer(HTTPStatus.CREATED, _retry(step, tenant, _entry(tenant, dlq_id)))


def retry_dead_letters(step: Transition, tenant: Tenant, selection: Selection) -> Answer:
    """Retry many; nothing found is an empty list."""
    chosen, cursor = _oldest(tenant, selection)
    return Answer(HTTPStatus.CREATED, {"responses": [_retry(step, tenant, entry) for entry in chosen]} | cursor)


def _entry(tenant: Tenant, dlq_id: str) -> DlqEntry:
    entry = tenant.dlq.get(dlq_id)
    if entry is None:
        raise not_found(f"DLQ entry {dlq_id[:80]!r} does not exist; it may have been deleted or retried")
    return entry


def _takes(selection: Selection, entry: DlqEntry) -> bool:
    return (
        selection.takes_value("dlqId", entry.id)
        and selection.takes_value("responseStatus", str(entry.result.status))
        and selection.takes(entry.message, entry.failed_at_ms)
    )


def _oldest(tenant: Tenant, selection: Selection) -> tuple[list[DlqEntry], dict[str, str]]:
    limit, after = selection.limit(MAX_COUNT), selection.cursor or 0
    if "dlqId" in selection.values:  # ids are all meant, however many
        limit = max(limit, len(selection.values["dlqId"]))
    chosen: list[DlqEntry] = []
    for entry in tenant.dlq.values():
        if entry.seq > after and _takes(selection, entry):
            if len(chosen) == limit:
                return chosen, {"cursor": str(chosen[-1].seq)}
            chosen.append(entry)
    return chosen, {}


def _drop(step: Transition, tenant: Tenant, entry: DlqEntry) -> None:
    step.drop(tenant, "dlq", entry.id)


def _retry(step: Transition, tenant: Tenant, entry: DlqEntry) -> dict[str, str]:
    _drop(step, tenant, entry)
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
