"""A registry whose agents are the real ones and whose models and tools give what is recorded."""

from typing import Any

from baton.agents.agent import Agent
from baton.agents.registry import Registry
from baton.models.model import Model
from baton.tools.tool import Tool
from baton_local.replay.play import Play
from baton_local.replay.recorded_model import RecordedModel, RecordedSummarizer
from baton_local.replay.recorded_tool import recorded_tool


class RecordedRegistry(Registry):
    """The same agents, tools and their descriptions."""

    def __init__(self, real: Registry, play: Play) -> None:
        self._real = real
        self._play = play

    def __getattr__(self, name: str) -> Any:
        """What the real one has: it has been checked already, and may load its agents when it is first asked."""
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(vars(self)["_real"], name)

    def tool(self, name: str) -> Tool:
        """The tool, as it was."""
        return recorded_tool(self._real.tool(name), self._play)

    def model_of(self, agent: Agent | str) -> Model:
        """The agent's model, as it answered."""
        return RecordedModel(self._real.model_of(agent), self._play)

    def summarizer_of(self, agent: Agent | str) -> Model:
        """The model that wrote the agent's summaries."""
        return RecordedSummarizer(self._real.summarizer_of(agent), self._play)
