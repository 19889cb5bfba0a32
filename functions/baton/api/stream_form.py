"""How a stream writes a job's parts as server-sent events: a form of its own for each protocol.

Invariant: what a form writes follows from the parts alone, so a reader that comes back gets the rest of the same
events. Must not: read the store, or know how often it is read.
"""

from collections.abc import Mapping
from typing import ClassVar, Protocol

from baton.engine.state import Job

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
