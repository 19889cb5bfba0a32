"""Tools that return what is recorded; their own functions never run."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from baton.own_threads import in_own_thread
from baton.tools.context import ToolContext
from baton.tools.pending import LONGEST_SECONDS, ChildTask, Pending
from baton.tools.tool import InThread, Tool
from baton.tools.tool_error import ToolError
from baton_local.replay.play import Play
from baton_local.replay.recorded import RecordedCall


@dataclass(frozen=True, eq=False, kw_only=True)
class RecordedTool(Tool):
    """The tool that it stands for, but for what it does."""

    play: Play

    async def run(self, arguments: Mapping[str, Any], context: ToolContext, in_thread: InThread = in_own_thread) -> Any:
        """What this attempt returned.

        Raises:
            ToolError: as it failed then.
        """
        del arguments, in_thread  # their tool has checked them when the model asked for the call
        call = self.play.call(context.call_id)
        attempt = call.run(context.attempt) if call else None
        assert call is not None, "the executor looks first whether there is an attempt"
        assert attempt is not None, "the executor looks first whether there is an attempt"
        failure = attempt.failure
        if failure is not None:
            raise ToolError(failure.message, retryable=failure.retryable, type=failure.type)
        if call.wait is None:
            return call.result
        if call.child is not None:
            self.play.starts(context.call_id, call.child)
        return _pending(call, context.started_at_ms)


def recorded_tool(real: Tool, play: Play) -> RecordedTool:
    """The stand-in of a tool."""
    return RecordedTool(**{field.name: getattr(real, field.name) for field in fields(Tool) if field.init}, play=play)


def _pending(call: RecordedCall, now_ms: int) -> Pending:
    wait, child = call.wait, call.child
    assert wait is not None, "only calls that waited are asked"
    if child is not None:
        task = ChildTask(agent=child.job_type, task=child.task_description, data=child.input_data)
        return Pending(child=task, operation=False)
    until_ms = now_ms + 1 if wait.until_ms is None else wait.until_ms
    return Pending(
        timeout_seconds=min(LONGEST_SECONDS, max(0, until_ms - now_ms) / 1000),
        event=wait.event,
        otherwise=call.result,
        operation=bool(wait.operation_id),
    )
