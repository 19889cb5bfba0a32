"""The documented surface for users' code: re-exports only, each loaded on first use."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from baton.sdk.agents.agent import Agent
    from baton.sdk.agents.agent_tool import as_tool
    from baton.sdk.agents.handler import Event, HandlerContext, on
    from baton.sdk.agents.history import DropOldest, KeepAll, Summarize
    from baton.sdk.agents.registry import Registry
    from baton.sdk.agents.runner import JobInfo
    from baton.sdk.agents.schedule import Schedule
    from baton.sdk.memory.policy import Memory
    from baton.sdk.models.model import Call
    from baton.sdk.models.scripted import ScriptedModel
    from baton.sdk.planning.reference import result_of, task_data, task_text
    from baton.sdk.planning.step import Step
    from baton.sdk.records.budget import Budget
    from baton.sdk.records.call_limit import CallLimit, LimitedCall
    from baton.sdk.records.limits import CodeMode, Limits
    from baton.sdk.tools.builtin.job_tools import (
        check_operation_status,
        operation_status,
        recall,
        remember,
        sleep,
        sleep_until,
        wait_for_event,
    )
    from baton.sdk.tools.context import ToolContext
    from baton.sdk.tools.pending import Pending
    from baton.sdk.tools.tool import tool
    from baton.sdk.tools.tool_error import ToolError
    from baton.sdk.workflows.approval import Decision, approval
    from baton.sdk.workflows.workflow import workflow
    from baton_events.emitter import Emitter, emit
    from baton_events.sealing import PayloadCodec, PayloadContext

__all__ = [
    "Agent",
    "Budget",
    "Call",
    "CallLimit",
    "CodeMode",
    "Decision",
    "DropOldest",
    "Emitter",
    "Event",
    "HandlerContext",
    "JobInfo",
    "KeepAll",
    "LimitedCall",
    "Limits",
    "Memory",
    "PayloadCodec",
    "PayloadContext",
    "Pending",
    "Registry",
    "Schedule",
    "ScriptedModel",
    "Step",
    "Summarize",
    "ToolContext",
    "ToolError",
    "approval",
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
    "workflow",
]
_WHERE = {
    "Agent": "baton.sdk.agents.agent",
    "Budget": "baton.sdk.records.budget",
    "Call": "baton.sdk.models.model",
    "CallLimit": "baton.sdk.records.call_limit",
    "CodeMode": "baton.sdk.records.limits",
    "Decision": "baton.sdk.workflows.approval",
    "DropOldest": "baton.sdk.agents.history",
    "Emitter": "baton_events.emitter",
    "Event": "baton.sdk.agents.handler",
    "HandlerContext": "baton.sdk.agents.handler",
    "JobInfo": "baton.sdk.agents.runner",
    "KeepAll": "baton.sdk.agents.history",
    "LimitedCall": "baton.sdk.records.call_limit",
    "Limits": "baton.sdk.records.limits",
    "Memory": "baton.sdk.memory.policy",
    "PayloadCodec": "baton_events.sealing",
    "PayloadContext": "baton_events.sealing",
    "Pending": "baton.sdk.tools.pending",
    "Registry": "baton.sdk.agents.registry",
    "Schedule": "baton.sdk.agents.schedule",
    "ScriptedModel": "baton.sdk.models.scripted",
    "Step": "baton.sdk.planning.step",
    "Summarize": "baton.sdk.agents.history",
    "ToolContext": "baton.sdk.tools.context",
    "ToolError": "baton.sdk.tools.tool_error",
    "approval": "baton.sdk.workflows.approval",
    "as_tool": "baton.sdk.agents.agent_tool",
    "check_operation_status": "baton.sdk.tools.builtin.job_tools",
    "emit": "baton_events.emitter",
    "on": "baton.sdk.agents.handler",
    "operation_status": "baton.sdk.tools.builtin.job_tools",
    "recall": "baton.sdk.tools.builtin.job_tools",
    "remember": "baton.sdk.tools.builtin.job_tools",
    "result_of": "baton.sdk.planning.reference",
    "sleep": "baton.sdk.tools.builtin.job_tools",
    "sleep_until": "baton.sdk.tools.builtin.job_tools",
    "task_data": "baton.sdk.planning.reference",
    "task_text": "baton.sdk.planning.reference",
    "tool": "baton.sdk.tools.tool",
    "wait_for_event": "baton.sdk.tools.builtin.job_tools",
    "workflow": "baton.sdk.workflows.workflow",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_WHERE[name]), name)
