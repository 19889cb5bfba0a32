"""A sample agent with memory: what one job was told, later jobs know, in the same session and in others.

Invariant: works offline; without a vector index it remembers within a session only.
"""

from baton.agents.agent import Agent
from baton.core.limits import Limits
from baton.memory.policy import Memory
from baton.tools.memory_tools import recall, remember

assistant = Agent(
    name="assistant",
    model="demo",
    instructions="Remember what you are told to. Answer from what is remembered, and say where that was said.",
    tools=[remember, recall],
    memory=Memory(),
    limits=Limits(turns=5, tool_calls=5),
)
