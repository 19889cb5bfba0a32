"""Defects of calls that go on in the background."""

from typing import Any

from baton.commands.taking_back import TakeBack
from baton.engine import lifecycle
from baton.engine.effects import RunTool
from baton.engine.step_results import FollowedUp, ToolReturned
from baton.executors.continuing import ContinueSession
from baton.executors.started_jobs import BackgroundCalls
from tests.simulation.planting import Defect, Patch, idle, replaced

_ONCE = "a_session_goes_on_once_with_each_operation"


async def _told_to_nobody(_self: Any, _operation: Any, _snapshot: Any) -> FollowedUp:
    """Acknowledge an operation's end, and let nobody know."""
    return FollowedUp()


def _without_an_operation(start: Any) -> Any:
    """Say that it goes on, and start nothing."""

    async def started(self: BackgroundCalls, effect: RunTool, arguments: Any, waits: Any = None) -> ToolReturned:
        answer: ToolReturned = await start(_Nobody(self), effect, arguments, waits)
        return answer

    return started


class _Nobody:
    """Stands for what starts operations, and starts none."""

    def __init__(self, real: BackgroundCalls) -> None:
        self._clock, self._outcomes, self._take_back, self._commands = real._clock, real._outcomes, self, self

    async def submit(self, *_given: Any, **_named: Any) -> None:
        """Submit nothing."""

    async def if_rolled_back(self, *_given: Any) -> None:
        """Take nothing back."""


def _background(name: str, invariant: str, *patches: Patch) -> Defect:
    return Defect(name, invariant, patches, background=True)


_TAKEN_BACK = "what_was_rolled_back_goes_on_in_nothing"
DEFECTS = (
    _background(
        "nobody is told what an operation came to", _ONCE, replaced(ContinueSession, "__call__", _told_to_nobody)
    ),
    _background("a session goes on with what was cancelled", _ONCE, Patch(lifecycle, "_SENT_TO_NOBODY", lambda _: {})),
    _background("a rollback takes no operation back", _TAKEN_BACK, idle(TakeBack, "operations_of")),
    _background("a session goes on with what was rolled back", _TAKEN_BACK, idle(TakeBack, "rolled_back_owner")),
    _background(
        "a call goes on by no job",
        "each_call_that_goes_on_has_its_operation",
        Patch(BackgroundCalls, "start", _without_an_operation),
    ),
)
