"""Server-sent events out of lines of text (the WHATWG's "event stream interpretation").

Pure: takes one line at a time, gives an event at each blank line that ends one. Comments (heartbeats) are dropped.
"""

from dataclasses import dataclass, field

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

    def feed(self, line: str) -> ServerSentEvent | None:
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
