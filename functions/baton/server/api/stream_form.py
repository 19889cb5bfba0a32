"""The formats in which a stream writes a job's parts as server-sent events: one for each protocol.

Invariant: the events follow from the parts alone, so a reader that comes back gets the rest of the same events. Must
not: read the store, or know how often it is read.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

from starlette.requests import Request

from baton.engine.state import Job
from baton.server.api.problem import ApiError
from baton_events.ids import canonical_json

HEADERS = {"cache-control": "no-cache, no-transform", "x-accel-buffering": "no"}


class Form(Protocol):
    """Writes one stream, from its first part on."""

    headers: ClassVar[Mapping[str, str]]

    @property
    def over(self) -> bool:
        """Whether the stream ends with the parts that are stored now, before the job does."""
        ...

    def part(self, job: Job, number: int, part: str) -> str:
        """Return the events of one part, each with its blank line; empty if it has none for this reader."""
        ...

    def ending(self, job: Job) -> str:
        """Return the text behind the last part, where the job has ended or the stream is over."""
        ...


class UiMessageForm:
    """AI SDK UI message stream v1: each part is one event, under its number."""

    headers: ClassVar[Mapping[str, str]] = HEADERS | {"x-vercel-ai-ui-message-stream": "v1"}
    over = False

    def part(self, job: Job, number: int, part: str) -> str:
        return f"id: {job.created_at_ms}-{number}\ndata: {part}\n\n"

    def ending(self, job: Job) -> str:  # noqa: ARG002 - as Form has it
        """Return the end of every such stream, without an id."""
        return "data: [DONE]\n\n"


UI_MESSAGES = UiMessageForm()


_POSITION = re.compile(r"[0-9]{1,15}-([0-9]{1,15})\.([0-9]{1,6})")


def position_in(request: Request) -> tuple[int, int] | None:
    """Return the last event that a reader has: its part's number, and its own number within the part.

    None: it has not read yet. Raises ApiError: 400, the header is no position.
    """
    text = request.headers.get("last-event-id")
    if text is None:
        return None
    match = _POSITION.fullmatch(text)
    if match is None:
        raise ApiError(400, f"Last-Event-ID {text[:80]!r} is not of the form <ms>-<n>.<k>; 0-0.0 is the beginning")
    return int(match[1]), int(match[2])


def numbered(job: Job, number: int, events: Sequence[Any], seen: tuple[int, int]) -> str:
    """Number and join the events of one part, leaving out those up to `seen`."""
    return "".join(
        f"id: {job.created_at_ms}-{number}.{place}\ndata: {canonical_json(event)}\n\n"
        for place, event in enumerate(events, 1)
        if (number, place) > seen
    )
