"""`tool.execution.complete`: takes in a result."""

from baton.worker.handlers.tool_result_complete import handler

__all__ = ["handler"]
