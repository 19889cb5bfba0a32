"""What a COMMIT adds to a job's books, said in the part of the event that it ends, as commit.lua says it."""

from operator import attrgetter

from msgspec.structs import replace
from pydantic.alias_generators import to_camel

from events.core.ends import COUNTED
from events.core.state import Usage
from events.ports import Spent
from infra.in_memory.tree import Tree

# What is counted, as the event says it.
_TOLD_AS = {name: to_camel(name) for name in ("appends", *COUNTED)}
_amounts = attrgetter(*_TOLD_AS)
_NOT_USED = Usage()
_EVENT_END = '},"transient":true,"type":"data-event"}'


def with_used(before: Tree, tree: Tree, job_id: str) -> Tree:
    """The tree that a COMMIT has made of the one before."""
    said, known = tree.parts.get(job_id, ()), len(before.parts.get(job_id, ()))
    at = next((at for at in range(known, len(said)) if said[at].endswith(_EVENT_END)), None)
    if at is None:
        return tree
    used = _more(before.usage.get(job_id, _NOT_USED), tree.usage.get(job_id, _NOT_USED))
    return replace(tree, parts={**tree.parts, job_id: (*said[:at], _told(said[at], used), *said[at + 1 :])})


def _told(text: str, used: dict[str, int]) -> str:
    amounts = ",".join(f'"{name}":{much}' for name, much in used.items())
    return f'{text.removesuffix(_EVENT_END)},"used":{{{amounts}}}{_EVENT_END}'


def _more(before: Usage, after: Usage) -> dict[str, int]:
    amounts = zip(_TOLD_AS.values(), _amounts(before), _amounts(after), strict=True)
    return {name: now - was for name, was, now in amounts if now != was}


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
