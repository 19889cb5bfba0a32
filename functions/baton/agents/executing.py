"""The shape of what does a piece of work; the shell has its own word for it, and knows nothing of agents."""

from typing import Protocol

from baton.core.effects import Work
from baton.core.step_results import StepResult
from baton.ports import Claim, History


class Executing(Protocol):
    """Does one kind of work."""

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult | None:
        """Do the work."""
        ...
