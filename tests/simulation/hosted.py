"""The limits of the hosted parts, in worlds that have them, and of what a model is told; by name, what must hold.

Invariant: the numbers are those of the smallest plans, or the product's where it sets them. The product never meets a
size, since it has limits of its own below them.
"""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from baton.sdk.models.model import Message as Told
from baton.sdk.models.model import ModelRequest, ToolMessage, UserMessage
from baton.server.app import SPECS
from baton.testing.asgi import Answer
from baton.worker.executors.bounded import PROMPT_TOO_LARGE
from baton_events.ids import canonical_json
from baton_events.schema import function_of
from tests.simulation.ended import Ended
from tests.simulation.invocation import Invocation

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.queue import Message
    from tests.simulation.world import World

# QStash's free plan takes 1 MB (its pricing page), Lambda 6 MB of payload either way.
MESSAGE_BYTES, PAYLOAD_BYTES = 1_048_576, 6 * 1_048_576
FUNCTION_SECONDS = {spec.path: float(spec.timeout_seconds) for spec in SPECS}
# The site is behind an HTTP API, which waits as long as it does for the functions that are.
SITE_SECONDS = min(FUNCTION_SECONDS.values())


@dataclass(frozen=True, slots=True)
class Sent:
    """Something goes over the wire: a message to the queue, or an answer of a function."""

    what: str
    size_bytes: int


def a_message_fits(sent: Sent) -> str | None:
    if sent.size_bytes > MESSAGE_BYTES:
        return f"{sent.what} has {sent.size_bytes} bytes; the queue takes {MESSAGE_BYTES}"
    return None


def an_answer_fits(sent: Sent) -> str | None:
    if sent.size_bytes > PAYLOAD_BYTES:
        return f"{sent.what} is answered {sent.size_bytes} bytes; {PAYLOAD_BYTES} come through"
    return None


def a_function_ends_in_time(world: "World", who: Invocation, seconds: float) -> None:
    """One that nothing holds up, on whichever way it is, ends before its host ends it."""
    if not who.stalled and not who.faulty:
        world.broken("a_function_ends_in_time", f"{who.name} still goes on after {seconds:g} s")


class Hosting:
    """What the hosts of one world do besides running functions; nothing in worlds without limits."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def started(self, who: Invocation, url: str, ended: "Callable[[], None]") -> None:
        """An invocation has begun: it is ended at its function's time limit, and then nobody hears of it."""
        world = self._world
        if world.plan.limited:
            seconds = FUNCTION_SECONDS.get(function_of(url.removeprefix(world.base_url)), SITE_SECONDS)
            world.loop.call_later(seconds, self._end, who, seconds, ended)

    def _end(self, who: Invocation, seconds: float, ended: "Callable[[], None]") -> None:
        if who.over or who.dead:
            return
        a_function_ends_in_time(self._world, who, seconds)
        self._world.record(who, f"its host ends it after {seconds:g} s")
        who.dead = who.ended = who.faulty = True
        ended()

    def accepted(self, message: "Message") -> None:
        if self._world.plan.limited and message.source is None:  # what the queue tells itself may be larger
            self._world.check(ON_MESSAGE, Sent(message.name, len(message.outgoing.body.encode())))

    def answered(self, who: Invocation, answer: Answer) -> None:
        if self._world.plan.limited:
            self._world.check(ON_ANSWERED, Sent(who.name, len(answer.body)))


ON_MESSAGE, ON_ANSWERED = (a_message_fits,), (an_answer_fits,)


def no_turn_is_given_too_much(found: "tuple[World, ModelRequest]") -> str | None:
    """What it is asked about is within the limit; as it is stored it takes some more."""
    world, request = found
    size_chars, most = sum(map(_size_chars, request.messages)), world.plan.prompt_limit_bytes
    return f"turn {request.turn} is told {size_chars} bytes; {most} may be told" if size_chars > most else None


def _size_chars(message: Told) -> int:
    if isinstance(message, UserMessage):
        return len(message.text) + len(canonical_json(message.data))
    return len(canonical_json(message.content)) if isinstance(message, ToolMessage) else len(message.text)


def only_a_long_job_is_too_long_to_send(end: Ended) -> str | None:
    """A job fails for what would be told where that, with the names of its calls, is more than the limit."""
    if end.job.error is None or end.job.error.type != PROMPT_TOO_LARGE:
        return None
    entries, results = end.tree.transcript.get(end.job.id, ()), end.tree.results.get(end.job.id, {})
    size_bytes, most = weight([*entries, *results, *results.values()]), end.world.plan.prompt_limit_bytes
    size_bytes += sum(json.loads(entry)["apart"]["bytes"] for entry in entries if '"apart":' in entry)
    return None if size_bytes > most else f"{end.job.id} has {size_bytes} bytes to tell; {most} may be told"


ON_HISTORY, ON_HISTORY_AT_END = (no_turn_is_given_too_much,), (only_a_long_job_is_too_long_to_send,)


def weight(value: Any) -> int:
    """As lua/commit.lua counts what it reads."""
    if isinstance(value, str):
        escaped = value.count('"') + value.count("\\")
        return escaped + (len(value) if value.isascii() else len(value.encode()))
    return sum(map(weight, value)) if isinstance(value, list) else 0
