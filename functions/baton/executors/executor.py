"""The shape of an executor, and the executor of forks beside the plain one.

Must not: know what an executor does.
"""

from collections.abc import Callable
from typing import Any, Protocol

from msgspec.structs import replace

from baton.engine.commit.answers import Claim, History
from baton.engine.effects import Work
from baton.engine.state import FORK
from baton.engine.step_results import ExtraUsage, ModelAnswered, ModelFailed, ModelWaits, StepResult


class Executing(Protocol):
    """Does one kind of work."""

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult | None:
        """Do the work."""
        ...


def with_entries(step_result: StepResult | None, entries: tuple[dict[str, Any], ...]) -> StepResult | None:
    """Return a turn's step result, with entries for the transcript before its own."""
    match step_result:
        case ModelAnswered() | ModelFailed() | ModelWaits():
            extra_usage: ExtraUsage = step_result.extra_usage
            return replace(step_result, extra_usage=replace(extra_usage, entries=(*entries, *extra_usage.entries)))
        case _:
            return step_result


class UnlessForked:
    """Runs a job's work by `plain`; a fork's by the executor of `make_forked`, which no other job loads."""

    def __init__(self, plain: Executing, make_forked: Callable[[Executing], Executing]) -> None:
        self._plain, self._make_forked = plain, make_forked
        self._forked: Executing | None = None

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult | None:
        """Do the work."""
        if not history.transcript or FORK not in history.transcript[0]:
            return await self._plain(effect, history, claim)
        self._forked = self._forked or self._make_forked(self._plain)
        return await self._forked(effect, history, claim)
