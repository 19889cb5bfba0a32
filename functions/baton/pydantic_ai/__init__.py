"""Agents of pydantic-ai, unchanged, as durable agents: `Registry(agents=[durable(agent)])`. Needs extra `models`."""

from baton.pydantic_ai.durable import durable
from baton.tools.context import tool_context

__all__ = ["durable", "tool_context"]
