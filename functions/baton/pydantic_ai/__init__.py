"""Agents of pydantic-ai, unchanged, as durable agents: `Registry(agents=[durable(agent)])`. Needs extra `models`."""

from baton.models.providers.messages import contents_of
from baton.pydantic_ai.durable import durable
from baton.tools.context import tool_context

__all__ = ["contents_of", "durable", "tool_context"]
