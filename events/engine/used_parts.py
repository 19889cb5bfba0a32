"""What a COMMIT adds to a job's books, said in the part of the event that it ends, as commit.lua says it."""

from collections.abc import Sequence
from operator import attrgetter

from msgspec.json import Encoder
from msgspec.structs import replace
from pydantic.alias_generators import to_camel

from events.core.ends import COUNTED
from events.core.state import NOTHING_USED, Usage
from events.engine.tree import Tree
from events.ports import Spent

# What is counted, as the event says it.
_COUNTED = ("appends", *COUNTED)
_TOLD_AS = [to_camel(name) for name in _COUNTED]
_amounts = attrgetter(*_COUNTED)
_encode = Encoder().encode
_EVENT_END = '},"transient":true,"type":"data-event"}'


def with_used(before: Tree, tree: Tree, job_id: str) -> Tree:
    """The tree that a COMMIT has made of the one before."""
    said = tree.parts.get(job_id, ())
    at = event_end(said, len(before.parts.get(job_id, ())))
    if at is None:
        return tree
    text = with_usage(said[at], before.usage.get(job_id, NOTHING_USED), tree.usage.get(job_id, NOTHING_USED))
    return replace(tree, parts={**tree.parts, job_id: (*said[:at], text, *said[at + 1 :])})


def event_end(said: Sequence[str], known: int) -> int | None:
    """Where among these parts, behind those known before, the first is that ends an event."""
    for at in range(known, len(said)):
        if said[at].endswith(_EVENT_END):
            return at
    return None


def with_usage(text: str, before: Usage, after: Usage) -> str:
    """A part that ends an event, with what was used between."""
    amounts = zip(_TOLD_AS, _amounts(before), _amounts(after), strict=True)
    more = _encode({name: now - was for name, was, now in amounts if now != was}).decode()
    return f'{text[: -len(_EVENT_END)]},"used":{more}{_EVENT_END}'


def more(used: Usage, spent: Spent, now_ms: int) -> Usage:
    """With what was spent, and the one request that says so; nobody counts commands and bytes here."""
    return replace(
        used,
        messages=used.messages + spent.messages,
        deliveries=used.deliveries + spent.deliveries,
        redis_requests=used.redis_requests + spent.requests + 1,
        redis_commands=used.redis_commands + spent.commands,
        redis_bytes=used.redis_bytes + spent.size_bytes,
        function_ms=used.function_ms + spent.function_ms,
        mb_ms=used.mb_ms + spent.mb_ms,
        updated_ms=now_ms,
        written=used.written + spent.written,
        counted=used.counted + spent.counted,
    )
