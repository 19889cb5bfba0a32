"""An agent that talks slowly, for tests that interrupt it in mid-text: started with `--app stream_agents:registry`."""

from baton import Agent, Call, Registry, ScriptedModel, tool
from baton.models.model import ModelAnswer

WORDS = 70
FIRST = "First I look " + " ".join(f"here-{number}" for number in range(WORDS // 2)) + "."
ANSWER = "The answer: " + " ".join(f"word-{number}" for number in range(WORDS)) + "."


@tool
def look(number: int) -> str:
    """Look something up."""
    return f"found {number}"


talker = Agent(
    name="talker",
    model=ScriptedModel([ModelAnswer(FIRST, (Call("look", {"number": 1}),)), ANSWER], pause_seconds=0.02),
    tools=[look],
)
registry = Registry(agents=[talker])
