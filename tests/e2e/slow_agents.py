"""Agents that take their time, for tests that interrupt a job: started with `--app slow_agents:registry`.

The tool notes each use in a file (environment `NOTES`), so that a test can count how often a call really ran.
"""

import os
import time
from pathlib import Path

from baton import Agent, Call, Registry, ScriptedModel, tool

STEPS = 6
STEP_SECONDS = 0.3


@tool(retries=2)
def note(number: int) -> str:
    """Write a number down, slowly."""
    time.sleep(STEP_SECONDS)
    with Path(os.environ["NOTES"]).open("a") as file:  # noqa: TID251 - a user's tool may read its environment
        file.write(f"{number}\n")
    return f"noted {number}"


slow = Agent(
    name="slow",
    model=ScriptedModel([*([Call("note", {"number": number})] for number in range(STEPS)), "All noted."]),
    tools=[note],
)
registry = Registry(agents=[slow])
