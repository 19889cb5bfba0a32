"""The answer of a model whose request the queue sent: where it is brought to, and how it is read from the callback.

Invariant: whose answer it is stands in the URL, which the queue signs. What the queue says of the request is not read:
its headers hold a key. Must not: read the provider's body.
"""

import json
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from typing import Any

from baton.engine.outbox import event_of
from baton.engine.work_items import loop_item
from baton.sdk.records import HttpResponse
from baton_events.errors import MalformedEventError
from baton_events.schema import ANSWERS_ENDPOINT, ENDPOINTS, Event, EventType

_BELOW = ANSWERS_ENDPOINT.removeprefix(ENDPOINTS[EventType.LOOP_INIT])


def answer_endpoint(job_id: str, session_id: str, turn: int, attempt: int, number: int) -> str:
    """Return where the answer to a request of this turn's attempt is brought; `number`: which one, from 1."""
    session = urlsafe_b64encode(session_id.encode()).decode().rstrip("=")
    return f"{ANSWERS_ENDPOINT}/{job_id}/{turn}/{attempt}/{number}/{session}"


def read_answer(below: str, body: bytes) -> tuple[Event, HttpResponse]:
    """Read the event of the turn that waits, and the answer.

    Raises:
        MalformedEventError: the path names no turn, or the body is no callback's.
    """
    try:
        job_id, turn, attempt, number, session = below.removeprefix(f"{_BELOW}/").split("/")
        item = loop_item(job_id, int(turn), int(attempt), 0)
        event = event_of(urlsafe_b64decode(session + "=" * (-len(session) % 4)).decode(), item)
        callback: Any = json.loads(body)
        headers = {name.lower(): ", ".join(texts) for name, texts in callback.get("header", {}).items()}
        answer = HttpResponse(int(number), int(callback["status"]), headers, b64decode(callback.get("body") or ""))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise MalformedEventError(f"no model's answer is brought to {below[:200]!r} with this body: {error}") from error
    return event, answer
