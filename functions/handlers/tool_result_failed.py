"""`tool.execution.failed`: retries the call, or gives the model its error."""

from baton.worker.handlers.tool_result_failed import handler

__all__ = ["handler"]
