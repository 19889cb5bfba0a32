"""Which messages, dead letters or events a call means: ids, filters, count, cursor (qstash.md 1, 12, 13, 14).

Invariant: values of one filter are OR-ed, different filters AND-ed. A bulk change refuses unknown filter names, so
a misspelt one never means "everything".
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from baton_local.qstash.core.answer import bad_request
from baton_local.qstash.core.message import IN_PROGRESS, EventState, Message

Query = Sequence[tuple[str, str]]

MESSAGE_FILTERS: dict[str, Callable[[Message], Iterable[str | None]]] = {
    "messageId": lambda message: (message.id,),
    "url": lambda message: (message.url,),
    "topicName": lambda message: (message.topic,),
    "queueName": lambda message: (message.queue,),
    "scheduleId": lambda message: (message.schedule_id,),
    "label": lambda message: message.labels,
    "flowControlKey": lambda message: (message.flow.key if message.flow else None,),
    "callerIp": lambda message: (message.caller_ip,),
    "host": lambda message: (urlsplit(message.url).netloc, urlsplit(message.url).hostname),
    "path": lambda message: (urlsplit(message.url).path,),
    "api": lambda _message: (),  # no message goes to a vendor's api here
    "source": lambda _message: (),  # nor is any of a workflow
}
_ALIASES = {"callerIP": "callerIp", "messageIds": "messageId", "dlqIds": "dlqId"}
_FOR_ALL = frozenset({"count", "cursor", "fromDate", "toDate"})
FOR_MESSAGES = _FOR_ALL | (MESSAGE_FILTERS.keys() - {"api", "source"})
FOR_DLQ = _FOR_ALL | MESSAGE_FILTERS.keys() | {"dlqId", "responseStatus"}
FOR_EVENTS = FOR_DLQ | {"state"}
_MAX_DIGITS = 15


@dataclass(frozen=True, slots=True)
class Selection:
    """A checked selection; `values` holds the filters by name."""

    values: dict[str, frozenset[str]] = field(default_factory=dict)
    from_ms: int | None = None
    to_ms: int | None = None
    count: int | None = None
    cursor: int | None = None

    def takes(self, message: Message, at_ms: int) -> bool:
        """Return whether the message fits; `at_ms` is the time that the dates are about."""
        if (self.from_ms is not None and at_ms < self.from_ms) or (self.to_ms is not None and at_ms > self.to_ms):
            return False
        for name, wanted in self.values.items():
            read = MESSAGE_FILTERS.get(name)
            if read is not None and wanted.isdisjoint(read(message)):
                return False
        return True

    def takes_value(self, name: str, value: str) -> bool:
        """Return whether a filter that is not about the message itself lets the value through."""
        return name not in self.values or value in self.values[name]

    def limit(self, default: int) -> int:
        """Return how many at most."""
        return default if self.count is None else self.count


def parse_selection(query: Query, known: frozenset[str], *, max_count: int, strict: bool) -> Selection:
    """Read a selection; `strict` refuses unknown names."""
    values: dict[str, set[str]] = {}
    for name, value in query:
        plain = _ALIASES.get(name, name)
        if plain in known:
            # One value may be a comma list (qstash.md 1); the whole is kept too, since a URL may hold commas.
            values.setdefault(plain, set()).update({value, *(part.strip() for part in value.split(","))})
        elif strict:
            raise bad_request(f"filter {name[:80]!r} is unknown; use {', '.join(sorted(known))}")
    from_ms, to_ms = _number(values.pop("fromDate", None), "fromDate"), _number(values.pop("toDate", None), "toDate")
    count, cursor = _number(values.pop("count", None), "count"), _number(values.pop("cursor", None), "cursor")
    if count is not None and not 1 <= count <= max_count:
        raise bad_request(f"count: {count} is out of bounds; it lies between 1 and {max_count}")
    if "state" in values:
        values["state"] = _states(values["state"])
    frozen = {name: frozenset(wanted) for name, wanted in values.items()}
    ids = next((name for name in ("dlqId", "messageId") if strict and name in frozen), None)
    if ids is not None:
        frozen = {ids: frozen[ids]}  # ids override filters (qstash.md 12)
    return Selection(frozen, from_ms, to_ms, count, cursor)


def _number(texts: set[str] | None, name: str) -> int | None:
    text = max(texts) if texts else ""
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > _MAX_DIGITS:
        raise bad_request(f"{name}: {text[:80]!r} is not a number")
    return int(text)


def _states(texts: set[str]) -> set[str]:
    states: set[str] = set()
    for text in filter(None, texts):
        name = "CANCELED" if text.upper() == "CANCELLED" else text.upper()
        if name == "IN_PROGRESS":
            states.update(IN_PROGRESS)
        elif name in EventState.__members__:
            states.add(name)
        elif "," not in text:
            raise bad_request(f"state: {text[:80]!r} is unknown; use {', '.join(EventState)} or IN_PROGRESS")
    return states
