"""An agent with memory, for tests of the whole stack: `--app tests.e2e.memory_agents:registry`."""

from baton import Agent, Registry
from baton.sdk.models.model import ModelAnswer, ModelRequest, UserMessage

REMEMBERED = "The cellar key is under the third flower pot."


class Recollecting:
    """A model that answers from what it is told of earlier jobs; where there is nothing, it says what it knows."""

    name = "recollecting"
    reads_history = True

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        found = [message.text for message in request.messages if isinstance(message, UserMessage) and message.note]
        return ModelAnswer(f"I remember: {found[0]}" if found else REMEMBERED)


registry = Registry(agents=[Agent(name="keeper", model=Recollecting(), memory=True)])
