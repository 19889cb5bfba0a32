"""`/v2/events`, and what is asked about finished messages, which the state machine does not keep (qstash.md 12, 14)."""

import asyncio

from baton_local.qstash.core.answer import Answer, Request, not_found, ok
from baton_local.qstash.core.commands import messages
from baton_local.qstash.core.message import Message
from baton_local.qstash.core.selection import FOR_EVENTS, parse_selection
from baton_local.qstash.core.views import event_view, message_view
from baton_local.qstash.engine import Engine

_MAX_EVENTS = 1_000


async def get_message(engine: Engine, user: str, request: Request) -> Answer:
    """Return one message, finished or not."""
    return ok(message_view(await _message(engine, user, request)))


async def cancel_message(engine: Engine, user: str, request: Request) -> Answer:
    """Cancel one message; unknown ones are 404, finished ones count 0."""
    await _message(engine, user, request)
    return await engine.execute(user, messages.cancel_message, request)


async def list_events(engine: Engine, user: str, request: Request, *, key: str, count: int) -> Answer:
    """Return one page of events under a key, with `count` of them by default."""
    selection = parse_selection(request.query_pairs(), FOR_EVENTS, max_count=_MAX_EVENTS, strict=False)
    limit = selection.limit(count)
    # One more than is shown, to know whether there is more.
    page = await asyncio.to_thread(engine.storage.events, user, selection, limit + 1)
    shown = await asyncio.to_thread(lambda: [event_view(event) for _, event in page[:limit]])
    return ok({key: shown} | ({"cursor": str(page[limit - 1][0])} if len(page) > limit else {}))


async def _message(engine: Engine, user: str, request: Request) -> Message:
    message_id = request.param("id")
    live = engine.state.tenant(user).live.get(message_id)
    message = live.message if live else await asyncio.to_thread(engine.storage.message, user, message_id)
    if message is None:
        raise not_found(f"message {message_id[:80]!r} does not exist; finished ones are kept for a limited time")
    return message
