"""A sample agent that answers questions from a folder of text files: the one that `baton demo` shows.

Invariant: works offline and without any account. To make it yours, change the folder, and the model once you have one.
"""

from pathlib import Path

from baton.agents.agent import Agent
from baton.core.limits import Limits
from baton.tools.files import file_tools

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
