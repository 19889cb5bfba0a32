"""A sample agent that works through others: it shares the question out, and its answer is made of theirs.

Invariant: works offline. The two helpers are usual agents, and can be given jobs of their own.
"""

from baton.agents.agent import Agent
from baton.agents.research import library_tools
from baton.core.limits import Limits

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
    limits=Limits(turns=20, tool_calls=50),  # what its helpers use counts as well
)
