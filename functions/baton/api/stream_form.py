"""How a stream writes a job's parts as server-sent events: a form of its own for each protocol.

Invariant: what a form writes follows from the parts alone, so a reader that comes back gets the rest of the same
events. Must not: read the store, or know how often it is read.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

from starlette.requests import Request

from baton.api.problem import ApiError
from baton.engine.state import Job
from baton_events.ids import canonical_json

HEADERS = {"cache-control": "no-cache, no-transform", "x-accel-buffering": "no"}


class Form(Protocol):
    """Writes one stream, from its first part on. `over`: nothing that comes after this belongs to it."""

    headers: ClassVar[Mapping[str, str]]
    over: bool

    def part(self, job: Job, number: int, part: str) -> str:
        """The events of one part, each with its blank line; empty: it has none for this reader."""
        ...

    def ending(self, job: Job) -> str:
        """What stands behind the last part of a job that has ended."""
        ...


class UiMessageForm:
    """AI SDK UI message stream v1: each part is one event, under its number."""

    headers: ClassVar[Mapping[str, str]] = HEADERS | {"x-vercel-ai-ui-message-stream": "v1"}
    over = False

    def part(self, job: Job, number: int, part: str) -> str:
        """The part as it is."""
        return f"id: {job.created_at_ms}-{number}\ndata: {part}\n\n"

    def ending(self, job: Job) -> str:  # noqa: ARG002 - as Form has it
        """The end of every such stream, without an id."""
        return "data: [DONE]\n\n"


UI_MESSAGES = UiMessageForm()


_POSITION = re.compile(r"\d{1,15}-(\d{1,15})\.(\d{1,6})")


def position_in(request: Request) -> tuple[int, int] | None:
    """The last event that a reader has got of a stream whose parts have several: its part's number, and which of it.

    None: it has not read yet.

    Raises:
        ApiError: 400, what it says is no position.
    """
    text = request.headers.get("last-event-id")
    if text is None:
        return None
    match = _POSITION.fullmatch(text)
    if match is None:
        raise ApiError(400, f"Last-Event-ID {text[:80]!r} is not of the form <ms>-<n>.<k>; 0-0.0 is the beginning")
    return int(match[1]), int(match[2])


def numbered(job: Job, number: int, events: Sequence[Any], seen: tuple[int, int]) -> str:
    """The events of one part, each with an id of its own, but for those up to `seen`."""
    return "".join(
        f"id: {job.created_at_ms}-{number}.{place}\ndata: {canonical_json(event)}\n\n"
        for place, event in enumerate(events, 1)
        if (number, place) > seen
    )
