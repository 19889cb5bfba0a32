"""Sample agents over a folder of text files: one that answers from it, one that delegates to others, one with memory.

`baton demo` shows `research`. The helpers of `supervisor` are usual agents, and can be given jobs of their own.
Invariant: each works offline and without an account; without a vector index, `assistant` remembers within a session. To
make one yours, change the folder, and the model once you have one.
"""

from pathlib import Path

from baton.sdk.agents.agent import Agent
from baton.sdk.memory.policy import Memory
from baton.sdk.records.limits import Limits
from baton.sdk.tools.builtin.files import file_tools
from baton.sdk.tools.builtin.job_tools import recall, remember

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
