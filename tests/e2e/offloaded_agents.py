"""Agents whose model the queue asks, or its provider in the background: `--app tests.e2e.offloaded_agents:registry`.

`OPENAI_BASE_URL` leads to a test.
"""

from baton import Agent, Registry, tool


@tool
async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


registry = Registry(
    agents=[
        Agent(name="thinks", model="openai-chat:thinker", offload="queue"),
        Agent(name="adds", model="openai-chat:adder", tools=[add], offload="queue"),
        Agent(name="thinks-there", model="openai-responses:thinker", offload="provider"),
        Agent(name="adds-there", model="openai-responses:adder", tools=[add], offload="provider"),
    ]
)
