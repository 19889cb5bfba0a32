"""What a model is told at once: no more than may be told, and only a job that has more to tell fails for it."""

from typing import TYPE_CHECKING

from baton.executors.bounded import PROMPT_TOO_LARGE
from baton.models.model import Message, ModelRequest, ToolMessage, UserMessage
from baton_events.ids import canonical_json
from tests.fakes.applying import weight
from tests.simulation.ended import Ended

if TYPE_CHECKING:
    from tests.simulation.world import World


def no_turn_is_given_too_much(found: "tuple[World, ModelRequest]") -> str | None:
    """What it is asked about is within the limit; as it is stored it takes some more."""
    world, request = found
    size_chars, most = sum(map(_size_chars, request.messages)), world.plan.prompt_limit_bytes
    return f"turn {request.turn} is told {size_chars} bytes; {most} may be told" if size_chars > most else None


def _size_chars(message: Message) -> int:
    if isinstance(message, UserMessage):
        return len(message.text) + len(canonical_json(message.data))
    return len(canonical_json(message.content)) if isinstance(message, ToolMessage) else len(message.text)


def only_a_long_job_is_too_long_to_send(end: Ended) -> str | None:
    """A job fails for what would be told where that, with the names of its calls, is more than the limit."""
    if end.job.error is None or end.job.error.type != PROMPT_TOO_LARGE:
        return None
    results = end.tree.results.get(end.job.id, {})
    texts = [*end.tree.transcript.get(end.job.id, ()), *results, *results.values()]
    size_bytes, most = weight(texts), end.world.plan.prompt_limit_bytes
    return None if size_bytes > most else f"{end.job.id} has {size_bytes} bytes to tell; {most} may be told"


ON_HISTORY, ON_HISTORY_AT_END = (no_turn_is_given_too_much,), (only_a_long_job_is_too_long_to_send,)
