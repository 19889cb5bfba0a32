"""Who is running: one delivery of a message to a function, or one call of the API.

Invariant: an invocation that crashed makes no further call to the world; one that does has swallowed the crash.
"""

from contextvars import ContextVar
from dataclasses import dataclass


class Crashed(BaseException):
    """The process dies here. No Exception: nothing in the product may catch it."""


@dataclass(slots=True, eq=False)
class Invocation:
    """One run of a function.

    Attributes:
        name: unique in a world, stable when faults elsewhere are switched off; `number` is made of it.
        kind: `submit`, or what kind of message is handled; crash points are counted by it.
        skew_ms: how wrong the clock of its instance is. began_at: when it began.
        calls: calls to the world so far. zombie: the queue has given up waiting for it. stalled: a fault held it up.
        faulty: it met a fault of whatever kind. job_id: of the message.
    """

    name: str
    number: int
    kind: str
    skew_ms: int = 0
    began_at: float = 0.0
    calls: int = 0
    dead: bool = False
    zombie: bool = False
    stalled: bool = False
    faulty: bool = False
    job_id: str = ""

    def crash(self) -> Crashed:
        """The crash to raise."""
        self.dead = True
        return Crashed(self.name)


CURRENT: ContextVar[Invocation] = ContextVar("invocation")
