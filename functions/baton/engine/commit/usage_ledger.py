"""A job's usage ledger, pure: the usage of parallel calls, together and apart, and its place in each event's part."""

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import attrgetter
from typing import Any

from msgspec import Struct
from msgspec.json import Encoder
from msgspec.structs import replace

from baton.engine.all_jobs.ends import COUNTED
from baton.engine.commit.codec import dump, load_usage
from baton.engine.commit.tree import Tree
from baton.engine.state import NOTHING_USED, Usage


class Spent(Struct, frozen=True):
    """Usage of queue, store and functions.

    Attributes:
        messages: that the queue took, each counted when it is first delivered, or by the command whose backup
            message it is.
        requests: to the store; those that are ready at the same time share an HTTP request.
        commands: each script, and each call in it, as Upstash may bill them (redis-rest.md 11).
        deliveries: attempts of the queue to deliver a message.
        size_bytes: keys, arguments and answers of commands, both ways; not the scripts' texts, nor what wraps them.
        function_ms: time of the function so far.
        mb_ms: the same, times the function's memory.
        shared: of the requests, those that travelled with another one. No job's usage ledger has them: the last COMMIT
            of an invocation learns of it when it is written.
        written: bytes that were stored of a job; they are no overhead.
        counted: of these, the bytes that its tenant's quota has counted already.
    """

    messages: int = 0
    requests: int = 0
    commands: int = 0
    deliveries: int = 0
    size_bytes: int = 0
    function_ms: int = 0
    mb_ms: int = 0
    shared: int = 0
    written: int = 0
    counted: int = 0


NOTHING = Spent()


# Prefix of the fields with the usage of calls that end at the same time, until the next turn adds it to the rest.
USED_APART = "used:"
_SUMS = ("appends", *COUNTED, "written", "counted")
# The amounts in an event's part, and their names there.
_COUNTED = ("appends", *COUNTED)
_SHOWN_AS = ("appends", "messages", "deliveries", "redisRequests", "redisCommands", "redisBytes", "functionMs", "mbMs")
_amounts = attrgetter(*_COUNTED)
_encode = Encoder().encode
_EVENT_END = '},"transient":true,"type":"data-event"}'


def plus(used: Usage, added: Usage) -> Usage:
    """Return the sum of both."""
    return replace(used, **_sums(used, added, 1), updated_ms=max(used.updated_ms, added.updated_ms))


def less(used: Usage, before: Usage) -> Usage:
    """Return the usage since `before`."""
    return Usage(**_sums(used, before, -1), updated_ms=used.updated_ms)


def _sums(used: Usage, other: Usage, sign: int) -> dict[str, Any]:
    return {name: getattr(used, name) + sign * getattr(other, name) for name in _SUMS}


def used_apart(job_id: str, stamp: str, used: Usage) -> tuple[str, str]:
    """Return a field for the usage of one of several calls, and its text, which names the job as a work item's does."""
    return f"{USED_APART}{job_id}:{stamp}", f'{{"job_id":"{job_id}",{dump(used)[1:]}'


def apart_in(state: Mapping[str, str]) -> tuple[str, ...]:
    """Return the fields with the usage of one of several calls."""
    return tuple([name for name in state if name.startswith(USED_APART)])


def usage_in(job_id: str, state: Mapping[str, str]) -> dict[str, str]:
    """Return the fields that together are a job's usage."""
    own = f"usage:{job_id}"
    return {name: text for name, text in state.items() if name == own or name.startswith(f"{USED_APART}{job_id}:")}


def used_by(job_id: str, state: Mapping[str, str]) -> Usage:
    """Return a job's usage."""
    texts = usage_in(job_id, state)
    own = texts.pop(f"usage:{job_id}", "")
    return reduce(plus, map(load_usage, texts.values()), load_usage(own) if own else NOTHING_USED)


def with_used(before: Tree, tree: Tree, job_id: str) -> Tree:
    """Return the tree that a COMMIT has made of `before`, with the usage of its event in the event's part."""
    parts = tree.parts.get(job_id, ())
    at = event_end(parts, len(before.parts.get(job_id, ())))
    if at is None:
        return tree
    text = with_usage(parts[at], before.usage.get(job_id, NOTHING_USED), tree.usage.get(job_id, NOTHING_USED))
    return replace(tree, parts={**tree.parts, job_id: (*parts[:at], text, *parts[at + 1 :])})


def event_end(parts: Sequence[str], known: int) -> int | None:
    """Return where the first part is that ends an event, behind the `known` first ones; None: there is none."""
    for at in range(known, len(parts)):
        if parts[at].endswith(_EVENT_END):
            return at
    return None


def with_usage(text: str, before: Usage, after: Usage) -> str:
    """Return a part that ends an event, with the usage between."""
    amounts = zip(_SHOWN_AS, _amounts(before), _amounts(after), strict=True)
    more = _encode({name: now - was for name, was, now in amounts if now != was}).decode()
    return f'{text[: -len(_EVENT_END)]},"used":{more}{_EVENT_END}'


def more(used: Usage, spent: Spent, now_ms: int) -> Usage:
    """Return the usage with this spending and the request that writes it, whose commands are not counted here."""
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
