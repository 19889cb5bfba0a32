"""Stores what an ended job was asked and answered.

Invariant: repeating it stores once. An index that does not answer is a step result; an outage of the store is raised,
for the queue to repeat.
"""

import asyncio
from collections.abc import Callable

from msgspec.structs import replace

from baton.core.effects import Remember, Work
from baton.core.state import Failure
from baton.core.step_results import NotRemembered, Remembered, StepResult
from baton.memory.entries import exchange_of
from baton.memory.keeper import MemoryKeeper
from baton.ports import Claim, History
from baton_events.errors import MemoryUnavailableError


class RememberJob:
    """Performs Remember."""

    def __init__(self, keeper: MemoryKeeper, work_limit_seconds: float, hide: Callable[[str], str] = str) -> None:
        self._keeper = keeper
        self._work_limit_seconds = work_limit_seconds
        self._hide = hide  # takes secrets out of a text

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult:  # noqa: ARG002 - one signature
        """Store it, unless there is nothing to remember, or the session was forgotten.

        Raises:
            StoreError: it may be stored in part, and is to be stored again.
        """
        assert isinstance(effect, Remember), "this executor is registered for Remember"
        entry = exchange_of(effect.job, history.transcript[0])
        if entry is None:
            return Remembered()
        try:
            async with asyncio.timeout(self._work_limit_seconds):
                await self._keeper.store(effect.job.tenant, replace(entry, text=self._hide(entry.text)))
        except (TimeoutError, MemoryUnavailableError) as error:
            reason = str(error) or f"no answer within {self._work_limit_seconds:g} s"
            return NotRemembered(Failure("memory_unavailable", reason, retryable=True))
        return Remembered()
