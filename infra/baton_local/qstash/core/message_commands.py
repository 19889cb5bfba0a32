"""Commands on messages: look one up, cancel one, cancel many (qstash.md 12)."""

from dataclasses import dataclass
from http import HTTPStatus

from baton_local.qstash.core.answer import Answer
from baton_local.qstash.core.lifecycle import cancel
from baton_local.qstash.core.message import Live
from baton_local.qstash.core.selection import Selection
from baton_local.qstash.core.state import Transition
from baton_local.qstash.core.tenant import Tenant


@dataclass(frozen=True, slots=True)
class CancelMessage:
    """Cancel one unfinished message."""

    user: str
    message_id: str


@dataclass(frozen=True, slots=True)
class CancelMessages:
    """Cancel all unfinished messages that the selection takes."""

    user: str
    selection: Selection


def cancel_message(step: Transition, command: CancelMessage) -> Answer:
    """Count 1 if the message was unfinished, else 0; whether it ever existed is the caller's question to storage."""
    tenant = step.state.tenant(command.user)
    live = tenant.live.get(command.message_id)
    return _cancelled(step, tenant, [] if live is None or live.cancel_requested else [live])


def cancel_messages(step: Transition, command: CancelMessages) -> Answer:
    """Cancel what is selected, oldest first where there is a count; the answer counts what was unfinished."""
    tenant, selection = step.state.tenant(command.user), command.selection
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
