"""`agent.tool.call`: one tool call."""

from baton.handlers.tool_executor import handler

__all__ = ["handler"]
