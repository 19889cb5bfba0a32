"""`agent.tool.call`: one tool call."""

from baton.worker.handlers.tool_executor import handler

__all__ = ["handler"]
