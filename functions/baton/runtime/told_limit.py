"""Work that is told too much is not begun: its job, or its step, fails with the reason (core/told_size.py)."""

from baton.agents.performing import Performing
from baton.core.effects import CallModel, RunTool, Work
from baton.core.happenings import Happening, ModelFailed, ToolFailed
from baton.core.told_size import too_much_told
from baton.ports import Claim, History


class ToldLimit:
    """Performs what `performer` does, of a turn or a tool call that is told at most so much."""

    def __init__(self, performer: Performing, limit_bytes: int) -> None:
        self._performer = performer
        self._limit_bytes = limit_bytes

    async def __call__(self, effect: Work, history: History, claim: Claim) -> Happening | None:
        """Do the work, or say why it cannot be done."""
        assert isinstance(effect, CallModel | RunTool), "others are told little"
        failure = too_much_told(history.size_bytes, self._limit_bytes)
        if failure is None:
            return await self._performer(effect, history, claim)
        return ModelFailed(failure) if isinstance(effect, CallModel) else ToolFailed(failure)
