"""An agent's memory policy: `Agent(memory=Memory(...))`, or `memory=True` for the defaults. Data only."""

from typing import Literal

from baton.sdk.records.limits import is_number, is_whole
from baton.sdk.records.memory import SESSION_ENTRIES
from baton.sdk.records.record import Record

MOST_SIMILAR = 50

Scope = Literal["tenant", "session"]


class Memory(Record, frozen=True):
    """The memory read before a job's first turn, and whether its question and answer are stored after its end.

    Attributes:
        recent: the number of the session's newest entries that the model gets, 0 to 10.
        similar: the maximum number of long-term entries near the task in meaning that it gets, 0 to 50.
        minimum_score: long-term entries below it are left out; from 0 to 1, where 0.5 is unrelated and 1 the same
            text. Values between depend on the index's embedding model.
        scope: look for long-term entries of the whole `tenant`, or of the job's own `session` alone.
        store: whether the job's question and answer are stored.
        required: whether a job waits for its memory, and fails without it; otherwise it continues without.
    """

    recent: int = SESSION_ENTRIES
    similar: int = 5
    minimum_score: float = 0.6
    scope: Scope = "tenant"
    store: bool = True
    required: bool = False

    def __post_init__(self) -> None:
        _check_count("recent", self.recent, SESSION_ENTRIES)
        _check_count("similar", self.similar, MOST_SIMILAR)
        if not is_number(self.minimum_score) or not 0 <= self.minimum_score <= 1:
            raise ValueError(f"Memory(minimum_score={self.minimum_score!r}): a score is a number from 0 to 1")
        if self.scope not in ("tenant", "session"):
            raise ValueError(f"Memory(scope={self.scope!r}): one of 'tenant', 'session'")


def memory_of(value: "Memory | bool | None") -> Memory | None:
    """Return the policy of `Agent(memory=…)`; None: the agent has no memory."""
    if value is None or isinstance(value, Memory):
        return value
    if isinstance(value, bool):
        return Memory() if value else None
    raise TypeError(f"memory must be Memory(...), True or False, got {value!r}")


def _check_count(name: str, value: object, most: int) -> None:
    if not is_whole(value) or not 0 <= value <= most:
        raise ValueError(f"Memory({name}={value!r}): a whole number from 0 to {most}")
