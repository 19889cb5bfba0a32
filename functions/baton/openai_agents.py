"""Agents of OpenAI's Agents SDK, unchanged: `Registry(agents=[durable(agent)])`. Needs extra `openai-agents`."""

from baton.sdk.libraries.hook_contexts import hook_context
from baton.sdk.openai_agents.runner import durable
from baton.sdk.tools.context import tool_context

__all__ = ["durable", "hook_context", "tool_context"]
