"""The answer of a model whose request the queue sent: its destination, and how it is read from the callback.

Invariant: the URL, which the queue signs, identifies the turn. The callback's copy of the request is not read: its
headers hold a key. Must not: read the provider's body.
"""

import json
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from typing import Any

from baton.engine.outbox import event_of
from baton.engine.work_items import loop_item
from baton.sdk.records.transcript import HttpResponse
from baton_events.errors import MalformedEventError
from baton_events.schema import ANSWERS_ENDPOINT, ENDPOINTS, Event, EventType

_BELOW = ANSWERS_ENDPOINT.removeprefix(ENDPOINTS[EventType.LOOP_INIT])


def answer_endpoint(job_id: str, session_id: str, turn: int, attempt: int, number: int) -> str:
    """Return the destination of the answer to a request of this turn's attempt; `number`: the request's, from 1."""
    session = urlsafe_b64encode(session_id.encode()).decode().rstrip("=")
    return f"{ANSWERS_ENDPOINT}/{job_id}/{turn}/{attempt}/{number}/{session}"


def event_at(below: str) -> Event:
    """Return the event of the turn whose answers are sent there; `below`: the path behind ANSWERS_ENDPOINT.

    Raises MalformedEventError: the path names no turn.
    """
    return _read(below)[0]


def _read(below: str) -> tuple[Event, int]:
    try:
        job_id, turn, attempt, number, session = below.removeprefix("/").split("/")
        item = loop_item(job_id, int(turn), int(attempt), 0)
        session_id = urlsafe_b64decode(session + "=" * (-len(session) % 4)).decode()
        return event_of(session_id, item), int(number)
    except ValueError as error:
        raise MalformedEventError(f"no model's answer is brought to {below[:200]!r}: {error}") from error


def read_answer(below: str, body: bytes) -> tuple[Event, HttpResponse]:
    """Read the event of the turn that waits, and the answer.

    Raises MalformedEventError: the path names no turn, or the body is no callback's.
    """
    event, number = _read(below.removeprefix(_BELOW))
    try:
        callback: Any = json.loads(body)
        headers = {name.lower(): ", ".join(texts) for name, texts in callback.get("header", {}).items()}
        answer = HttpResponse(number, int(callback["status"]), headers, b64decode(callback.get("body") or ""))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise MalformedEventError(f"what is brought to {below[:200]!r} is no callback's body: {error}") from error
    return event, answer
