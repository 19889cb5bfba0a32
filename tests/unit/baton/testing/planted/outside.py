"""What is outside of all processes: it survives their deaths, and `clear` empties it before each world."""

from collections import Counter

from baton import Agent, Call, Registry, ScriptedModel
from baton.sdk.tools.tool import Tool

rows: list[str] = []
marks: dict[str, str] = {}
sums: Counter[str] = Counter()


def clear() -> None:
    rows.clear()
    marks.clear()
    sums.clear()


def following(name: str = "number") -> int:
    sums[name] += 1
    return sums[name]


def registry(tools: list[Tool], *turns: list[Call]) -> Registry:
    """Make one agent named `agent` that makes these calls, turn by turn; default: each tool once, in order."""
    script = turns or tuple([Call(tool.name, {})] for tool in tools)
    return Registry([Agent("agent", model=ScriptedModel([*script, "done"]), tools=tools)])
