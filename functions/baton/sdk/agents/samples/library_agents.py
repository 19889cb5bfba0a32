"""Sample agents over a folder of text files: they answer from it, delegate, remember, or plan.

`baton demo` shows `research`. The helpers of `supervisor` are usual agents, and can be given jobs of their own. The
model of `planner` writes its plan; the fixed plan of `report` needs no model. `planner` first makes a wrong plan, as a
demonstration: a tool's name is misspelt, and a step uses a result that it does not wait for. The plan comes back with
its faults, and the second one is carried out. Invariant: each works offline and without an account, and does the same
each time; without a vector index, `assistant` remembers within a session. To make one yours, change the folder or the
steps, and the model once you have one.
"""

from pathlib import Path
from typing import Any

from baton.sdk.agents.agent import Agent
from baton.sdk.memory.policy import Memory
from baton.sdk.models.model import Call, ModelAnswer
from baton.sdk.models.scripted import ScriptedModel
from baton.sdk.planning.plan import PLAN_TOOL
from baton.sdk.planning.reference import result_of
from baton.sdk.planning.step import Step
from baton.sdk.records.limits import Limits
from baton.sdk.tools.builtin.files import file_tools
from baton.sdk.tools.builtin.job_tools import recall, remember
from baton.sdk.tools.tool import tool

assistant = Agent(
    name="assistant",
    model="demo",
    instructions="Remember what you are told to. Answer from what is remembered, and say where that was said.",
    tools=[remember, recall],
    memory=Memory(),
    limits=Limits(turns=5, tool_calls=5),
)


LIBRARY = Path(__file__).parent / "library"
REPORTS = Path(".baton/reports")

library_tools = file_tools(root=LIBRARY, reports=REPORTS)

research = Agent(
    name="research",
    model="demo",
    instructions=(
        "Answer the question from the files alone. Search before you read, quote what you rest on with its file's name,"
        " write a short report, and say plainly when the files do not tell."
    ),
    tools=library_tools,
    limits=Limits(turns=8, tool_calls=30),
)


_tools = {item.name: item for item in library_tools}

historian = Agent(
    name="historian",
    model="demo",
    description="Knows who built, kept and lit lighthouses, and when.",
    instructions="Answer from the files: who, when and where. Quote what you rest on with its file's name.",
    tools=[_tools["search_files"], _tools["read_file"]],
    limits=Limits(turns=6, tool_calls=20),
)

engineer = Agent(
    name="engineer",
    model="demo",
    description="Knows how lamps, lenses and fog signals work.",
    instructions="Answer from the files: how it works. Say how much the files have on it.",
    tools=[_tools["search_files"], _tools["read_file"], _tools["count_words"]],
    limits=Limits(turns=6, tool_calls=20),
)

supervisor = Agent(
    name="supervisor",
    model="demo",
    instructions="Give each part of the question to the agent that knows about it, and put their answers together.",
    tools=[historian, engineer],
    limits=Limits(turns=20, tool_calls=50),  # its helpers' usage counts as well
)


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


_library = {item.name: item for item in library_tools}
_FIRST = result_of("files")["files"][0]["path"]
_SECOND = result_of("files")["files"][1]["path"]


@tool(retries=0)
def overview(texts: list[str], words: list[int]) -> str:
    """Write an overview of texts: the title and the first paragraph of each.

    Args:
        texts: the texts, each with its title in the first line.
        words: how many words each has.
    """
    parts = [text.split("\n\n") for text in texts]
    shown = [f"## {part[0].lstrip('# ')}\n\n{part[1] if len(part) > 1 else ''}" for part in parts]
    return "\n\n".join([f"{len(texts)} texts with {sum(words)} words.", *shown])


report = Agent(
    name="report",
    description="Reports on the first two files of the library.",
    plan=[
        Step("files", _library["list_files"]),
        Step("first", _library["read_file"], {"path": _FIRST}, depends_on=["files"]),
        Step("second", _library["read_file"], {"path": _SECOND}, depends_on=["files"]),
        Step("count-first", _library["count_words"], {"path": _FIRST}, depends_on=["files"]),
        Step("count-second", _library["count_words"], {"path": _SECOND}, depends_on=["files"]),
        Step(
            "overview",
            overview,
            {
                "texts": [result_of("first"), result_of("second")],
                "words": [result_of("count-first")["words"], result_of("count-second")["words"]],
            },
            depends_on=["first", "second", "count-first", "count-second"],
        ),
        Step(
            "report",
            _library["write_report"],
            {"title": "The first two texts", "text": result_of("overview"), "sources": [_FIRST, _SECOND]},
            depends_on=["overview", "files"],
        ),
    ],
)
