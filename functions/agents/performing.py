"""The shape of what does a piece of work; the shell has its own word for it, and knows nothing of agents."""

from typing import Protocol

from events.core.effects import Work
from events.core.happenings import Happening
from events.ports import Claim, History


class Performing(Protocol):
    """Does one kind of work."""

    async def __call__(self, effect: Work, history: History, claim: Claim) -> Happening | None:
        """Do the work."""
        ...
