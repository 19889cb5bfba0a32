"""Commands on dead letters: list, look up, delete, retry (qstash.md 13)."""

from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from baton_local.qstash.core.answer import Answer
from baton_local.qstash.core.changes import DlqDropped
from baton_local.qstash.core.dlq import DlqEntry
from baton_local.qstash.core.errors import not_found
from baton_local.qstash.core.lifecycle import admit
from baton_local.qstash.core.queue_commands import queue_for_enqueue
from baton_local.qstash.core.selection import Selection
from baton_local.qstash.core.state import Transition
from baton_local.qstash.core.tenant import Tenant
from baton_local.qstash.core.views import dlq_view

MAX_COUNT = 100


@dataclass(frozen=True, slots=True)
class DeleteDeadLetter:
    """Delete one dead letter."""

    user: str
    dlq_id: str


@dataclass(frozen=True, slots=True)
class DeleteDeadLetters:
    """Delete what the selection takes, oldest first."""

    user: str
    selection: Selection


@dataclass(frozen=True, slots=True)
class RetryDeadLetter:
    """Make one dead letter a new message."""

    user: str
    dlq_id: str


@dataclass(frozen=True, slots=True)
class RetryDeadLetters:
    """Make what the selection takes new messages, oldest first."""

    user: str
    selection: Selection


def list_dead_letters(tenant: Tenant, selection: Selection) -> Answer:
    """One page, newest first."""
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
    """One dead letter."""
    return Answer(HTTPStatus.OK, dlq_view(_entry(tenant, dlq_id)))


def delete_dead_letter(step: Transition, command: DeleteDeadLetter) -> Answer:
    """Delete one; a second time it is unknown."""
    tenant = step.state.tenant(command.user)
    _drop(step, tenant, _entry(tenant, command.dlq_id))
    return Answer(HTTPStatus.OK)


def delete_dead_letters(step: Transition, command: DeleteDeadLetters) -> Answer:
    """Delete many; unknown ids are skipped."""
    tenant = step.state.tenant(command.user)
    chosen, cursor = _oldest(tenant, command.selection)
    for entry in chosen:
        _drop(step, tenant, entry)
    return Answer(HTTPStatus.OK, {"deleted": len(chosen)} | cursor)


def retry_dead_letter(step: Transition, command: RetryDeadLetter) -> Answer:
    """The entry leaves the DLQ at once and becomes a new message."""
    tenant = step.state.tenant(command.user)
    return Answer(HTTPStatus.CREATED, _retry(step, tenant, _entry(tenant, command.dlq_id)))


def retry_dead_letters(step: Transition, command: RetryDeadLetters) -> Answer:
    """Retry many; nothing found is an empty list."""
    tenant = step.state.tenant(command.user)
    chosen, cursor = _oldest(tenant, command.selection)
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
    del tenant.dlq[entry.id]
    step.changes.append(DlqDropped(entry))


def _retry(step: Transition, tenant: Tenant, entry: DlqEntry) -> dict[str, str]:
    _drop(step, tenant, entry)
    message = replace(
        entry.message,
        seq=step.state.next_seq(),
        id=step.state.ids.next("msg"),
        created_at_ms=step.now_ms,
        not_before_ms=step.now_ms,
        holds_queue=None,
        holds_turn_of=None,
    )
    if message.queue is not None:
        queue_for_enqueue(step, tenant, message.queue)
    step.count(tenant, "derived")
    admit(step, tenant, message)
    return {"messageId": message.id}
