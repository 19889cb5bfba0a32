"""App events on the wire: events of your own, by name (decisions/0021-app-events). Pure.

Invariant: the name of an app event that `parse_app_event` accepts can be an endpoint's and a topic's. Must not: know
which handlers there are.
"""

import json
import re
from typing import Annotated, Any, Literal

from msgspec import Meta, field, to_builtins
from msgspec.json import Decoder
from pydantic_core import from_json

from baton_events.errors import BatonError, MalformedEventError, TooLargeError
from baton_events.schema import (
    EVENTS_ENDPOINT,
    SCHEMA_VERSION,
    TOPIC_SUFFIXES,
    AwareDatetime,
    EventType,
    Identifier,
    WireRecord,
    faults_of,
    refuse_newer,
)
from baton_events.timestamps import moment
from baton_events.values.durations import Duration, plain_seconds
from baton_events.values.json_value import TooLarge, Unrecordable, recorded_json
from baton_events.values.text import cut, storable, text_of

DATA_LIMIT_BYTES = 256 * 1024
KEY_LIMIT_CHARS = 200
LONGEST_DELAY_SECONDS = 7 * 86_400  # the queue's longest delay on its smallest plan (qstash.md 20)
_NAME = r"[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*"  # compiled with the first name: not every cold start needs it
_NAME_LIMIT_CHARS = 100


class AppEventError(BatonError, ValueError):
    """An app event that cannot be sent; `field`: which part of it is at fault."""

    status = 422

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


class DeadLetter(WireRecord, frozen=True, kw_only=True):
    """A handler's job that has failed: which agent's, in which of its runs, and why."""

    handler: str
    run: int
    error: str


class AppEvent(WireRecord, frozen=True, kw_only=True):
    """One app event.

    `dead_letter`: the message only keeps the failure of one of its handlers, for people. `closes`: it is a late copy,
    which closes the batch that the event has joined for this handler. `meets`: it is a copy, which ends the waits of
    these calls. `subject`: the person whose data it has, as a digest.
    """

    id: Identifier
    name: str
    tenant: Annotated[str, Meta(min_length=1)]
    key: str = field(default_factory=lambda: "")
    data: Any = None
    created_at: AwareDatetime
    schema_version: Literal[1] = field(default_factory=lambda: SCHEMA_VERSION)
    dead_letter: DeadLetter | None = None
    closes: str | None = None
    meets: tuple[str, ...] | None = None
    subject: str | None = None

    def for_handler(self) -> dict[str, Any]:
        seen = {"id": self.id, "name": self.name, "key": self.key, "data": self.data, "createdAt": self.created_at}
        values: dict[str, Any] = to_builtins(seen)
        return values


def name_fault(name: object) -> str:
    """Say why this is no name of an app event; empty: it is one."""
    if not isinstance(name, str) or not re.fullmatch(_NAME, name) or len(name) > _NAME_LIMIT_CHARS:
        return (
            f"{name!r} is no event name: write up to {_NAME_LIMIT_CHARS} letters and digits, with single '.', '_' or"
            " '-' between them, such as 'order.created'"
        )
    if name in set(EventType) or topic_suffix(name) in TOPIC_SUFFIXES.values():
        return f"{name!r} is an event of Baton itself: choose another name"
    return ""


def topic_suffix(name: str) -> str:
    """Return what follows the prefix and a dot in the topic of an app event: `order-created`."""
    return name.replace(".", "-")


def endpoint_of(name: str) -> str:
    """Return where app events of this name are delivered."""
    return f"{EVENTS_ENDPOINT}/{name}"


def occurrence_name(name: str, key: str) -> str:
    """Return what an app event is called as an event of the job that waits for it: no name has a space."""
    return f"{name} {key}"


def app_event(
    name: str, data: Any = None, key: str = "", *, event_id: str, tenant: str, now_ms: int, subject: str = ""
) -> AppEvent:
    """Make an app event. `subject`: whose data it has, as a digest.

    Raises AppEventError: its name, key or data cannot be sent. TooLargeError: there is too much data.
    """
    if fault := name_fault(name):
        raise AppEventError(fault, "name")
    if not isinstance(key, str) or len(key) > KEY_LIMIT_CHARS:
        shown = cut(text_of(key), KEY_LIMIT_CHARS)
        raise AppEventError(f"the key {shown!r} is no text of at most {KEY_LIMIT_CHARS} characters", "key")
    key = storable(key)
    try:
        read = from_json(recorded_json(data, "data", DATA_LIMIT_BYTES))
    except TooLarge as error:
        raise TooLargeError(
            f"the data of event {name!r} has {error.size_bytes} bytes, over the limit of {DATA_LIMIT_BYTES}:"
            " send a reference to it"
        ) from error
    except Unrecordable as error:
        raise AppEventError(f"the data of event {name!r} is not JSON: {error}", "data") from error
    return AppEvent(
        id=event_id,
        name=name,
        tenant=tenant,
        key=storable(key),
        data=read,
        created_at=moment(now_ms),
        subject=subject or None,
    )


def delay_ms(delay_seconds: Duration) -> int:
    """Return a delay in milliseconds. Raises AppEventError: it is none, or longer than the queue keeps a message."""
    seconds = plain_seconds(delay_seconds)
    if type(seconds) not in (int, float) or not 0 <= seconds <= LONGEST_DELAY_SECONDS:
        limit = f"0 to {LONGEST_DELAY_SECONDS} seconds (7 days)"
        raise AppEventError(f"delay_seconds={delay_seconds!r} is out of range: give {limit}", "delay_seconds")
    return int(seconds * 1000)


def parse_app_event(body: bytes) -> AppEvent:
    """Parse the app event in a request's body.

    Raises MalformedEventError: it is none. NewerVersionError: a newer version has sent it.
    """
    try:
        event = _DECODER.decode(body)
    except (ValueError, RecursionError) as error:
        refuse_newer(body, error)
        raise MalformedEventError(f"not an app event: {_faults(body) or error}") from error
    if fault := name_fault(event.name):
        raise MalformedEventError(f"not an app event: {fault}")
    return event


_DECODER = Decoder(AppEvent)


def _faults(body: bytes) -> str:
    try:
        raw = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    return "; ".join(faults_of(raw, AppEvent)) if isinstance(raw, dict) else ""
