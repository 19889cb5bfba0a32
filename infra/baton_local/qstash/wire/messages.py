"""`/v2/messages`, `/v2/dlq`, `/v2/events` (qstash.md 12, 13, 14)."""

import asyncio
from http import HTTPStatus
from urllib.parse import unquote

from baton_local.qstash.core.answer import Answer, bad_request, not_found
from baton_local.qstash.core.commands import messages
from baton_local.qstash.core.message import Message
from baton_local.qstash.core.selection import FOR_DLQ, FOR_EVENTS, FOR_MESSAGES, Query, Selection, parse_selection
from baton_local.qstash.core.views import event_view, message_view
from baton_local.qstash.wire.call import Call

_MAX_CANCEL = 500
_MAX_EVENTS = 1_000
_DEFAULT_LOGS = 100


async def get_message(call: Call) -> Answer:
    """Return one message, finished or not."""
    return Answer(HTTPStatus.OK, message_view(await _message(call)))


async def cancel_message(call: Call) -> Answer:
    """Cancel one message; unknown ones are 404, finished ones count 0."""
    message = await _message(call)
    return await call.execute(messages.cancel_message, message.id)


async def cancel_messages(call: Call) -> Answer:
    selection = _strict(call, FOR_MESSAGES, _MAX_CANCEL)
    return await call.execute(messages.cancel_messages, selection)


async def list_dlq(call: Call) -> Answer:
    """Return one page of dead letters."""
    selection = parse_selection(call.query_pairs(), FOR_DLQ, max_count=messages.MAX_COUNT, strict=False)
    return messages.list_dead_letters(call.tenant, selection)


async def get_dlq(call: Call) -> Answer:
    return messages.get_dead_letter(call.tenant, unquote(call.params["id"]))


async def delete_dlq(call: Call) -> Answer:
    return await call.execute(messages.delete_dead_letter, unquote(call.params["id"]))


async def delete_dlq_many(call: Call) -> Answer:
    selection = _strict(call, FOR_DLQ, messages.MAX_COUNT)
    return await call.execute(messages.delete_dead_letters, selection)


async def retry_dlq(call: Call) -> Answer:
    return await call.execute(messages.retry_dead_letter, unquote(call.params["id"]))


async def retry_dlq_many(call: Call) -> Answer:
    selection = _strict(call, FOR_DLQ, messages.MAX_COUNT)
    return await call.execute(messages.retry_dead_letters, selection)


async def list_events(call: Call) -> Answer:
    """Return one page of events under the key that the SDKs read."""
    return await _events(call, "events", _MAX_EVENTS)


async def list_logs(call: Call) -> Answer:
    """Return the same under the documented key."""
    return await _events(call, "logs", _DEFAULT_LOGS)


async def _events(call: Call, key: str, default_count: int) -> Answer:
    selection = parse_selection(call.query_pairs(), FOR_EVENTS, max_count=_MAX_EVENTS, strict=False)
    limit = selection.limit(default_count)
    # One more than is shown, to know whether there is more.
    page = await asyncio.to_thread(call.engine.storage.events, call.user, selection, limit + 1)
    shown = await asyncio.to_thread(lambda: [event_view(event) for _, event in page[:limit]])
    return Answer(HTTPStatus.OK, {key: shown} | ({"cursor": str(page[limit - 1][0])} if len(page) > limit else {}))


async def _message(call: Call) -> Message:
    message_id = unquote(call.params["id"])
    live = call.tenant.live.get(message_id)
    if live is not None:
        return live.message
    message = await asyncio.to_thread(call.engine.storage.message, call.user, message_id)
    if message is None:
        raise not_found(f"message {message_id[:80]!r} does not exist; finished ones are kept for a limited time")
    return message


def _strict(call: Call, known: frozenset[str], max_count: int) -> Selection:
    """Return a selection from the query (JS) or a JSON body of ids (Python); what is unknown is refused."""
    return parse_selection([*call.query_pairs(), *_ids_in_body(call)], known, max_count=max_count, strict=True)


def _ids_in_body(call: Call) -> Query:
    if not call.body.strip():
        return []
    body = call.json()
    if not isinstance(body, dict):
        raise bad_request('body: must be an object like {"messageIds": ["msg_..."]}')
    pairs: list[tuple[str, str]] = []
    for name, value in body.items():
        values = value if isinstance(value, list) else [value]
        if not all(isinstance(each, str | int) and not isinstance(each, bool) for each in values):
            raise bad_request(f"{name[:80]}: must be a text or a list of texts")
        pairs += [(name, str(each)) for each in values or [""]]  # an empty list selects nothing, never everything
    return pairs
