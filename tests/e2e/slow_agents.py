"""Agents that take their time, for tests that interrupt a job.

Each use of a tool is noted in a file (environment `NOTES`), so that a test can tell how often and when it really ran.
"""

import os
import time
from pathlib import Path

from baton import Agent, Call, CallLimit, Registry, ScriptedModel, ToolContext, tool

STEPS = 6
STEP_SECONDS = 0.3
IN_FLIGHT, PAGES = 2, 3


def _write(line: str) -> None:
    with Path(os.environ["NOTES"]).open("a") as file:  # noqa: TID251 - a user's tool may read its environment
        file.write(f"{line}\n")


@tool(retries=2)
def note(number: int) -> str:
    """Write a number down, slowly."""
    time.sleep(STEP_SECONDS)
    _write(str(number))
    return f"noted {number}"


@tool(call_limits=[CallLimit("desk", in_flight=IN_FLIGHT)])
def sign(ctx: ToolContext, page: int) -> int:
    """Sign a page at one of two desks."""
    _write(f"begin {ctx.call_id} {os.getpid()}")
    time.sleep(0.7)
    _write(f"end {ctx.call_id} {os.getpid()}")
    return page


notes = ScriptedModel([*([Call("note", {"number": number})] for number in range(STEPS)), "All noted."])
signs = ScriptedModel([[Call("sign", {"page": page}) for page in range(PAGES)], "signed"])
registry = Registry(
    agents=[Agent(name="slow", model=notes, tools=[note]), Agent(name="clerk", model=signs, tools=[sign])]
)
