"""What a durable job makes of the harness's capabilities: the guide's table, and what its tests play.

The harness is no library of the lock file, so nothing of it is imported here.
"""

import shutil
from pathlib import Path
from typing import NamedTuple


class Row(NamedTuple):
    """Capabilities by the rows of `harness_agents` and `harness_processes` that make an agent with them."""

    outcome: str
    capabilities: dict[str, str]
    told: str = ""


WHOLE = Row(
    "whole",
    {
        "AskUser": "ask_user",
        "ToolOutputLimits": "tool_output_limits",
        "SlidingWindowCompaction": "sliding_window",
        "SummarizingCompaction": "summarizing",
        "TieredCompaction": "tiered",
        "FallbackCompaction": "fallback",
        "CompactOnRequest": "compact_on_request",
        "ClampOversizedMessages": "clamp",
        "ClearToolResults": "clear_tool_results",
        "DeduplicateFileReads": "deduplicate_reads",
        "WarnNearLimits": "warn_near_limits",
        "WarnOnCacheBusts": "warn_on_cache_busts",
        "ReportContextUsage": "report_context_usage",
        "InputGuardrail": "input_guardrail",
        "OutputGuardrail": "output_guardrail",
        "ToolGuardrail": "tool_guardrail",
        "SpendLimits": "spend_limits",
        "SubAgents": "sub_agents",
        "Advisor": "advisor",
        "SystemReminders": "system_reminders",
        "Planning": "planning",
        "Memory": "memory",
        "StepPersistence": "step_persistence",
        "ConversationSearch": "conversation_search",
        "RepairToolArguments": "repair",
        "FileSystem": "file_system",
        "RepoContext": "repo_context",
        "RepoContext(nested_traversal=True)": "repo_context_nested",
        "Skills": "skills",
        "Coder": "coder",
        "PydanticAIDocs": "docs",
        "LocalStack": "localstack",
        "ToolCallJudge": "tool_call_judge",
        "GitHub": "github",
        "Linear": "linear",
        "Notion": "notion",
        "Slack": "slack",
        "Grain": "grain",
        "Ordinal": "ordinal",
        "Pylon": "pylon",
        "PostHog": "posthog",
        "LogfireMCP": "logfire_mcp",
        "DayAI": "day_ai",
        "Researcher": "researcher",
        "SubAgents(agent_folders=…)": "sub_agents_of_folders",
    },
)
# What they start runs in real time.
WITH_PROCESSES = Row(
    "whole",
    {
        "Shell": "shell",
        "Shell(persist_cwd=True)": "shell_persist_cwd",
        "SmartSearch": "smart_search",
        "DynamicWorkflow": "dynamic_workflow",
        "CodeMode(repl_store=…)": "code_mode_with_store",
    },
)
REFUSED = (
    Row("refused: tasks end with their step", {"BackgroundTools": "background_tools"}, "_send is a MemoryObjectSend"),
    Row(
        "refused: a hook makes its store; give another store",
        {"Memory(FileStore(…))": "memory_in_the_workspace"},
        "_resolved_scope is a FileStore",
    ),
    Row("refused: tasks end with their step", {"TrajectoryJudge": "trajectory_judge"}, "_task is a Task"),
    Row(
        "refused: tasks end with their step",
        {"InputGuardrail(parallel=True)": "input_guardrail_parallel"},
        "_parallel_verdict is a Task",
    ),
    Row(
        "refused: it holds a process; give it a `repl_store`",
        {"CodeMode": "code_mode"},
        "_pool_stack is a AsyncExitStack",
    ),
)
ALONE = Row(
    "calls beside each other count each by itself, unless `parallel_tool_calls=False`",
    {"Advisor(max_uses=…)": "advisor_max_uses"},
)

# As `linear`, each is a connection that the harness makes to a service's MCP server: that one's process dies for them.
CONNECTIONS = ("notion", "slack", "grain", "ordinal", "pylon", "posthog", "logfire_mcp", "day_ai")
# It knows a repeated write by its own key and tells the model so: other words after a crash, and the same memory.
REPEATS_TOLD = "memory"
_FILES = {
    "a.txt": "a\n",
    "AGENTS.md": "Be kind.\n",
    "sub/AGENTS.md": "Be kinder.\n",
    "sub/c.txt": "c\n",
    "skills/tea/SKILL.md": "---\nname: tea\ndescription: Makes tea.\n---\nBoil water.\n",
    "agents/helper.md": "---\nname: helper\ndescription: Helps.\n---\nHelp.\n",
}


def renew(folder: Path) -> None:
    """Make a workspace with these files alone."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, text in _FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def table() -> list[str]:
    """The guide's table, a line for each outcome."""
    outcomes: dict[str, list[str]] = {}
    for row in (WHOLE, WITH_PROCESSES, ALONE, *REFUSED):
        outcomes.setdefault(row.outcome, []).extend(f"`{name}`" for name in row.capabilities)
    head = ["| capability of the harness | in a job |", "| --- | --- |"]
    return [*head, *(f"| {', '.join(names)} | {outcome} |" for outcome, names in outcomes.items())]
