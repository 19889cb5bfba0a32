"""A sample agent that plans: its first plan is wrong and comes back with its faults, the second one is carried out.

Invariant: works offline, since its model follows a script; with a real model, leave the rest as it is. The plan that is
wrong is there to be seen: a tool's name is misspelt, and a step uses a result that it does not wait for.
"""

from typing import Any

from baton.agents.agent import Agent
from baton.agents.research import library_tools
from baton.core.limits import Limits
from baton.models.call import Call
from baton.models.model import ModelAnswer
from baton.models.scripted import ScriptedModel
from baton.planning.plan import PLAN_TOOL
from baton.planning.reference import result_of

_BEST = result_of("search")["hits"][0]["path"].as_json()


def _plan(count_tool: str, *report_waits_for: str) -> Call:
    """Search, then read and count the file with the first hit at once, then write a report; a side step may fail."""
    text = result_of("read").as_json()
    found: dict[str, Any] = {"depends_on": ["search"]}
    steps: list[dict[str, Any]] = [
        {"name": "search", "tool": "search_files", "arguments": {"query": "Fresnel", "limit": 5}},
        {"name": "read", "tool": "read_file", "arguments": {"path": _BEST, "max_chars": 600}, **found},
        {"name": "count", "tool": count_tool, "arguments": {"path": _BEST}, **found},
        {"name": "missing", "tool": "read_file", "arguments": {"path": "no-such.md"}, "on_failure": "continue"},
        {
            "name": "report",
            "tool": "write_report",
            "arguments": {"title": "Fresnel", "text": text, "sources": [_BEST]},
            "depends_on": list(report_waits_for),
        },
    ]
    return Call(PLAN_TOOL, {"steps": steps})


_ANSWER = (
    "I searched for Fresnel, read and counted the file with the first hit, and wrote a report. One file that I wanted"
    " to read is not there; the report does not need it."
)

planner = Agent(
    name="planner",
    mode="plan",
    model=ScriptedModel(
        [
            ModelAnswer("I search, read, count and report.", (_plan("count_word", "search", "missing"),)),
            ModelAnswer("I correct the plan.", (_plan("count_words", "search", "read", "count", "missing"),)),
            _ANSWER,
        ]
    ),
    description="Plans, is corrected, and carries its plan out.",
    tools=library_tools,
    limits=Limits(turns=6, tool_calls=20),
)
