"""Starts the operation by which a call goes on in the background, and says so to the model at once.

Invariant: the operation is there before the call's result is committed, and another attempt of the call finds it.
"""

import contextlib
from typing import Any

from baton.clock import Clock
from baton.commands.commands import Commands
from baton.commands.operation_stream import OperationOutcomes
from baton.commands.taking_back import TakeBack
from baton.engine import background
from baton.engine.background import CallWaits
from baton.engine.effects import RunTool
from baton.engine.step_results import ToolNeedsApproval, ToolReturned, ToolWaits
from baton.engine.waits import TOOL_APPROVAL
from baton_events.errors import JobGoneError
from baton_events.ids import canonical_json, operation_id


class BackgroundCalls:
    """Starts operations."""

    def __init__(self, commands: Commands, outcomes: OperationOutcomes, clock: Clock, take_back: TakeBack) -> None:
        self._commands = commands
        self._take_back = take_back
        self._outcomes = outcomes
        self._clock = clock

    async def start(self, effect: RunTool, arguments: dict[str, Any], waits: CallWaits | None = None) -> ToolReturned:
        """Start it. `waits`: what the call has come to; None: it has yet to run."""
        now_ms = self._clock.now_ms()
        submitted = background.operation_of(effect.job, effect.call, arguments, waits, now_ms)
        with contextlib.suppress(JobGoneError):  # an earlier attempt has started it, and it is over
            await self._commands.submit(submitted.job, submitted.task, may_exist=True)
            await self._take_back.if_rolled_back(submitted.job, submitted.job.id)
        if isinstance(waits, ToolWaits) and waits.operation_id:
            await self._outcomes.expect(waits.operation_id, waits.until_ms)
        name = operation_id(submitted.task[background.OPERATION]["id"])
        answer = {"status": "started", "operationId": name, "tool": effect.call.tool}
        answer["message"] = f"Tool {effect.call.tool!r} continues in the background; its outcome follows later."
        if isinstance(waits, ToolNeedsApproval):
            changes = background.begun(submitted, now_ms).changes
            question = next(call for call in changes.calls if call.tool == TOOL_APPROVAL) if changes else effect.call
            answer |= {"status": "pending_approval", "checkpointId": operation_id(question.id)}
            answer["message"] = f"Tool {effect.call.tool!r} waits for a person's approval; its outcome follows later."
        return ToolReturned(canonical_json(answer), operation_id=name)
