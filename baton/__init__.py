"""The documented surface for users' code: re-exports only. The emitter is loaded when it is asked for."""

import importlib
from typing import TYPE_CHECKING, Any

from events.core.limits import Limits
from functions.agents.agent import Agent
from functions.agents.registry import Registry
from functions.conversation.policy import DropOldest, KeepAll, Summarize
from functions.memory.policy import Memory
from functions.models.call import Call
from functions.models.scripted import ScriptedModel
from functions.planning.reference import result_of, task_data, task_text
from functions.planning.step import Step
from functions.tools.context import ToolContext
from functions.tools.memory_tools import recall, remember
from functions.tools.operation_tools import operation_status
from functions.tools.pending import Pending
from functions.tools.tool import tool
from functions.tools.tool_error import ToolError
from functions.tools.waiting import sleep, sleep_until, wait_for_event

if TYPE_CHECKING:
    from events.emitter import Emitter

__all__ = [
    "Agent",
    "Call",
    "DropOldest",
    "Emitter",
    "KeepAll",
    "Limits",
    "Memory",
    "Pending",
    "Registry",
    "ScriptedModel",
    "Step",
    "Summarize",
    "ToolContext",
    "ToolError",
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


def __getattr__(name: str) -> Any:
    # It needs the queue's SDK, which a function that only runs tools must not load.
    if name == "Emitter":
        return importlib.import_module("events.emitter").Emitter
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
