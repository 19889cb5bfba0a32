"""Agents of pydantic-ai, unchanged, as durable agents: `Registry(agents=[durable(agent)])`. Needs extra `models`."""

from baton.sdk.libraries.hook_contexts import hook_context
from baton.sdk.models.through_pydantic_ai.messages import contents_of
from baton.sdk.pydantic_ai.runner import durable
from baton.sdk.tools.context import tool_context

__all__ = ["contents_of", "durable", "hook_context", "tool_context"]
