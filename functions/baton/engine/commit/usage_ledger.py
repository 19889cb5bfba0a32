"""A job's usage ledger: sums, those of parallel calls apart, and usage in an event's part. `Used` has the tokens."""

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add, attrgetter
from typing import Any

from msgspec import Struct
from msgspec.json import Encoder
from msgspec.structs import astuple, replace

from baton.engine.all_jobs.ends import COUNTED
from baton.engine.commit.codec import dump, load_usage
from baton.engine.state import NOTHING_USED, Usage


class Metered(Struct, frozen=True):
    """Usage of queue, store and functions.

    `messages`: that the queue took, each counted when it is first delivered, or by the command whose backup message it
    is. `requests`: to the store; those that are ready at the same time share an HTTP request. `commands`: each script,
    and each call in it, as Upstash may bill them (redis-rest.md 11). `deliveries`: attempts of the queue to deliver a
    message. `size_bytes`: keys, arguments and answers of commands, both ways; not the scripts' texts, nor what wraps
    them. `function_ms`: time of the function so far; `mb_ms`: the same, times its memory. `shared`: of the requests,
    those that travelled with another one. No job's usage ledger has them: the last COMMIT of an invocation learns of it
    when it is written. `written`: bytes that were stored of a job; they are no overhead.
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

    def __add__(self, other: "Metered") -> "Metered":
        return Metered(*map(add, astuple(self), astuple(other)))


NOTHING = Metered()


# Prefix of the fields with the usage of calls that end at the same time, until the next turn adds it to the rest.
USED_APART = "used:"
_SUMS = ("appends", *COUNTED, "written", "counted")
# The amounts in an event's part, and their names there.
_COUNTED = ("appends", *COUNTED)
_SHOWN_AS = ("appends", "messages", "deliveries", "redisRequests", "redisCommands", "redisBytes", "functionMs", "mbMs")
_amounts, _summed = attrgetter(*_COUNTED), attrgetter(*_SUMS)
_encode = Encoder().encode
_EVENT_END = '},"transient":true,"type":"data-event"}'
_END = -len(_EVENT_END)


def plus(used: Usage, added: Usage) -> Usage:
    return replace(used, **_sums(used, added, 1), updated_ms=max(used.updated_ms, added.updated_ms))


def less(used: Usage, before: Usage) -> Usage:
    """Return the usage since `before`."""
    return Usage(**_sums(used, before, -1), updated_ms=used.updated_ms)


def _sums(used: Usage, other: Usage, sign: int) -> dict[str, Any]:
    pairs = zip(_SUMS, _summed(used), _summed(other), strict=True)
    return {name: amount + sign * more for name, amount, more in pairs}


def ledger_text(job_id: str, field: str, used: Usage) -> str:
    """Return the text of a field for usage. Where it is apart, it names its job as an item does."""
    text = dump(used)
    return f'{{"job_id":"{job_id}",{text[1:]}' if field.startswith(USED_APART) else text


def apart_in(state: Mapping[str, str]) -> tuple[str, ...]:
    """Return the fields with the usage of one of several calls."""
    return tuple([name for name in state if name.startswith(USED_APART)])


def usage_in(job_id: str, state: Mapping[str, str]) -> dict[str, str]:
    """Return the fields that together are a job's usage."""
    own = f"usage:{job_id}"
    return {name: text for name, text in state.items() if name == own or name.startswith(f"{USED_APART}{job_id}:")}


def used_by(job_id: str, state: Mapping[str, str]) -> Usage:
    texts = usage_in(job_id, state)
    own = texts.pop(f"usage:{job_id}", "")
    return reduce(plus, map(load_usage, texts.values()), load_usage(own) if own else NOTHING_USED)


def ends_event(part: str) -> bool:
    return part.endswith(_EVENT_END)


def event_end(parts: Sequence[str]) -> str:
    """Return the first of these parts that ends an event; empty: there is none."""
    for text in parts:
        if text[_END:] == _EVENT_END:
            return text
    return ""


def with_used(text: str, used: Usage, was: Usage) -> str:
    """Return a part that ends an event, with its usage: the job's `was` less before it."""
    pairs = zip(_SHOWN_AS, _amounts(used), _amounts(was), strict=True)
    amounts = {name: amount - before for name, amount, before in pairs if amount != before}
    return f'{text[:_END]},"used":{_encode(amounts).decode()}{_EVENT_END}'


def more(used: Usage, spent: Metered, requests: int = 0, commands: int = 0, size_bytes: int = 0) -> Usage:
    """Return the usage with this spending, and with these besides."""
    return replace(
        used,
        messages=used.messages + spent.messages,
        deliveries=used.deliveries + spent.deliveries,
        redis_requests=used.redis_requests + spent.requests + requests,
        redis_commands=used.redis_commands + spent.commands + commands,
        redis_bytes=used.redis_bytes + spent.size_bytes + size_bytes,
        function_ms=used.function_ms + spent.function_ms,
        mb_ms=used.mb_ms + spent.mb_ms,
        written=used.written + spent.written,
    )
