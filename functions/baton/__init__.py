"""The documented surface for users' code: re-exports only, each loaded on first use."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from baton.agents.agent import Agent
    from baton.agents.agent_tool import as_tool
    from baton.agents.event import Event, HandlerContext
    from baton.agents.handler import on
    from baton.agents.registry import Registry
    from baton.agents.runner import JobInfo
    from baton.agents.schedule import Schedule
    from baton.conversation.policy import DropOldest, KeepAll, Summarize
    from baton.memory.policy import Memory
    from baton.models.model import Call
    from baton.models.scripted import ScriptedModel
    from baton.planning.reference import result_of, task_data, task_text
    from baton.planning.step import Step
    from baton.sdk.call_limit import CallLimit, LimitedCall
    from baton.sdk.limits import Limits
    from baton.tools.builtin.job_tools import (
        check_operation_status,
        operation_status,
        recall,
        remember,
        sleep,
        sleep_until,
        wait_for_event,
    )
    from baton.tools.context import ToolContext
    from baton.tools.pending import Pending
    from baton.tools.tool import tool
    from baton.tools.tool_error import ToolError
    from baton_events.emitter import Emitter
    from baton_events.emitting import emit

__all__ = [
    "Agent",
    "Call",
    "CallLimit",
    "DropOldest",
    "Emitter",
    "Event",
    "HandlerContext",
    "JobInfo",
    "KeepAll",
    "LimitedCall",
    "Limits",
    "Memory",
    "Pending",
    "Registry",
    "Schedule",
    "ScriptedModel",
    "Step",
    "Summarize",
    "ToolContext",
    "ToolError",
    "as_tool",
    "check_operation_status",
    "emit",
    "on",
    "operation_status",
    "recall",
    "remember",
    "result_of",
    "sleep",
    "sleep_until",
    "task_data",
    "task_text",
    "tool",
    "wait_for_event",
]
_WHERE = {
    "Agent": "baton.agents.agent",
    "Call": "baton.models.model",
    "CallLimit": "baton.sdk.call_limit",
    "DropOldest": "baton.conversation.policy",
    "Emitter": "baton_events.emitter",
    "Event": "baton.agents.event",
    "HandlerContext": "baton.agents.event",
    "JobInfo": "baton.agents.runner",
    "KeepAll": "baton.conversation.policy",
    "LimitedCall": "baton.sdk.call_limit",
    "Limits": "baton.sdk.limits",
    "Memory": "baton.memory.policy",
    "Pending": "baton.tools.pending",
    "Registry": "baton.agents.registry",
    "Schedule": "baton.agents.schedule",
    "ScriptedModel": "baton.models.scripted",
    "Step": "baton.planning.step",
    "Summarize": "baton.conversation.policy",
    "ToolContext": "baton.tools.context",
    "ToolError": "baton.tools.tool_error",
    "as_tool": "baton.agents.agent_tool",
    "check_operation_status": "baton.tools.builtin.job_tools",
    "emit": "baton_events.emitting",
    "on": "baton.agents.handler",
    "operation_status": "baton.tools.builtin.job_tools",
    "recall": "baton.tools.builtin.job_tools",
    "remember": "baton.tools.builtin.job_tools",
    "result_of": "baton.planning.reference",
    "sleep": "baton.tools.builtin.job_tools",
    "sleep_until": "baton.tools.builtin.job_tools",
    "task_data": "baton.planning.reference",
    "task_text": "baton.planning.reference",
    "tool": "baton.tools.tool",
    "wait_for_event": "baton.tools.builtin.job_tools",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_WHERE[name]), name)
