"""Work that is told too much is not begun: its job, or its step, fails with the reason (core/told_size.py)."""

from baton.agents.executing import Executing
from baton.core.effects import CallModel, RunTool, Work
from baton.core.step_results import ModelFailed, StepResult, ToolFailed
from baton.core.told_size import too_much_told
from baton.ports import Claim, History


class ToldLimit:
    """Performs what `executor` does, of a turn or a tool call that is told at most so much."""

    def __init__(self, executor: Executing, limit_bytes: int) -> None:
        self._executor = executor
        self._limit_bytes = limit_bytes

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult | None:
        """Do the work, or say why it cannot be done."""
        assert isinstance(effect, CallModel | RunTool), "others are told little"
        failure = too_much_told(history.size_bytes, self._limit_bytes)
        if failure is None:
            return await self._executor(effect, history, claim)
        return ModelFailed(failure) if isinstance(effect, CallModel) else ToolFailed(failure)
