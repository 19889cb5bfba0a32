"""What SQLite decides of a selection of events; it may let more through than is wanted, never less."""

import json
from typing import Any, NamedTuple

from baton_local.qstash.core.attempt import AttemptResult
from baton_local.qstash.core.events_log import EventState
from baton_local.qstash.core.selection import Selection

# Filters that SQLite decides.
_COLUMNS = (("messageId", "m.id"), ("state", "e.state"), ("responseStatus", "cast(e.status AS TEXT)"))
# Filters whose value stands in the stored JSON as it is: SQLite can skip most rows before they are decoded.
_IN_CONTENT = ("topicName", "queueName", "scheduleId", "label", "flowControlKey", "callerIp", "url", "host", "path")
_NOBODY_HAS = ("api", "source")
# Every message has events of these states; the others have an index of their own (schema.py, in these very words).
_COMMON = (EventState.CREATED, EventState.ACTIVE, EventState.DELIVERED)
_TROUBLE = f"e.state NOT IN ({','.join(repr(state.value) for state in _COMMON)})"


class Condition(NamedTuple):
    """A condition in SQL about an event `e` and its message `m`; `trouble`: no event of a common state meets it."""

    where: str
    values: list[Any]
    trouble: bool


def condition_of(user: str, selection: Selection) -> Condition:
    """The condition of events that may be selected."""
    parts = ["m.user=?"]
    values: list[Any] = [user]
    for bound, comparison in ((selection.from_ms, "e.time_ms>=?"), (selection.to_ms, "e.time_ms<=?")):
        if bound is not None:
            parts.append(comparison)
            values.append(bound)
    for name, column in _COLUMNS:
        wanted = sorted(selection.values.get(name, ()))
        if wanted:
            parts.append(f"{column} IN ({','.join('?' * len(wanted))})")
            values.extend(wanted)
    parts += ["0" for name in _NOBODY_HAS if name in selection.values]
    for name in _IN_CONTENT:
        wanted = sorted(selection.values.get(name, ()))
        if wanted:
            # A host is the same in capitals.
            found = "instr(lower(m.content),lower(?))" if name == "host" else "instr(m.content,?)"
            parts.append(f"({' OR '.join([found] * len(wanted))})")
            values.extend(json.dumps(text)[1:-1] for text in wanted)
    trouble = _is_trouble(selection)
    return Condition(" AND ".join([*parts, *[_TROUBLE] * trouble]), values, trouble)


def _is_trouble(selection: Selection) -> bool:
    """Whether only events are wanted that an ordinary delivery does not have."""
    states = selection.values.get("state", frozenset())
    statuses = selection.values.get("responseStatus", frozenset())
    succeeded = any(status.isdecimal() and AttemptResult(int(status)).succeeded for status in statuses)
    return bool(states and states.isdisjoint(_COMMON)) or bool(statuses and not succeeded)
