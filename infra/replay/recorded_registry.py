"""A registry whose agents are the real ones and whose models and tools give what is recorded."""

from functions.agents.agent import Agent
from functions.agents.registry import Registry
from functions.models.model import Model
from functions.tools.tool import Tool
from infra.replay.play import Play
from infra.replay.recorded_model import RecordedModel, RecordedSummarizer
from infra.replay.recorded_tool import recorded_tool


class RecordedRegistry(Registry):
    """The same agents, tools and their descriptions."""

    def __init__(self, real: Registry, play: Play) -> None:
        # It has been checked already, and what it has must be the very same: nothing is built anew.
        vars(self).update(vars(real))
        self._real = real
        self._play = play

    def tool(self, name: str) -> Tool:
        """The tool, as it was."""
        return recorded_tool(self._real.tool(name), self._play)

    def model_of(self, agent: Agent | str) -> Model:
        """The agent's model, as it answered."""
        return RecordedModel(self._real.model_of(agent), self._play)

    def summarizer_of(self, agent: Agent | str) -> Model:
        """The model that wrote the agent's summaries."""
        return RecordedSummarizer(self._real.summarizer_of(agent), self._play)
