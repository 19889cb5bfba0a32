"""A job's stream, followed to its end: every part once and in order, also when the connection ends in between.

Server-sent events are read from lines of text, as the WHATWG's "event stream interpretation" has them: one event at
each blank line that ends one. Comments (heartbeats) are dropped.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from baton_local.cli.deployment import Deployment
from baton_local.dev.stack_error import StackError

_RETRY_DIGITS = 5  # a hundred seconds at most


@dataclass(frozen=True)
class ServerSentEvent:
    """One event; `id` is empty when it had none."""

    data: str
    id: str = ""


@dataclass
class SseLines:
    """The event that is being put together. `retry_seconds`: after which the server wants its reader back."""

    retry_seconds: float = 0.0
    _data: list[str] = field(default_factory=list)
    _id: str = ""

    def decode(self, line: str) -> ServerSentEvent | None:
        """Take one line without its ending; return the event that it completes."""
        if not line:
            return self._complete()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "id":
            self._id = value
        elif name == "retry" and value.isascii() and value.isdecimal():
            self.retry_seconds = int(value[:_RETRY_DIGITS]) / 1000
        return None

    def _complete(self) -> ServerSentEvent | None:
        event = ServerSentEvent("\n".join(self._data), self._id) if self._data else None
        self._data, self._id = [], ""
        return event


STREAM_END = "[DONE]"
_RECONNECT_SECONDS = 0.5
# In a row, without a part in between: then the deployment is gone, and the job goes on without us.
_TRIES = 20


def parts_of(deployment: Deployment, job_id: str) -> Iterator[dict[str, Any]]:
    """The job's parts as they come, from the first to the end of the stream.

    Raises:
        StackError: there is no such job, or its API has gone away.
    """
    last_id, tries = "", 0
    while True:
        events = SseLines()
        try:
            with deployment.lines(f"/api/agent-jobs/{job_id}/stream", last_id) as lines:
                for line in lines:
                    event = events.decode(line)
                    if event is None:
                        continue
                    if event.data == STREAM_END:
                        return
                    last_id, tries = event.id or last_id, 0
                    yield json.loads(event.data)
        except httpx.TransportError as error:
            tries += 1
            if tries >= _TRIES:
                raise StackError(
                    f"no answer from {deployment.url} ({error}); the job continues. Watch it again with "
                    f"`baton jobs watch {job_id}`"
                ) from error
        time.sleep(max(_RECONNECT_SECONDS, events.retry_seconds))
