"""Agents of LangChain's `create_agent`, unchanged: `Registry(agents=[durable(agent)])`. Needs extra `langgraph`."""

from baton.sdk.langgraph.runner import durable
from baton.sdk.libraries.hook_contexts import hook_context
from baton.sdk.tools.context import tool_context

__all__ = ["durable", "hook_context", "tool_context"]
