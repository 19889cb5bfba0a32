"""A job type that is written as code: it becomes an agent once the registry asks, when all of its module is there.

Must not: know how its code runs.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from baton.sdk.agents.agent import Agent


class CodeAgent(ABC):
    """The base of workflows; `name` is the job type."""

    name: str

    @abstractmethod
    def made(self) -> tuple[Agent | None, tuple[str, ...]]:
        """Make the agent, and the faults of its code; None: it cannot be made."""

    @abstractmethod
    def parameters(self) -> tuple[list[str], list[str]]:
        """Return the names of its parameters, and of those that are required."""

    @abstractmethod
    def calls(self) -> "Sequence[CodeAgent]":
        """Return the job types that its code starts by itself."""


def code_agents(written: Sequence[CodeAgent]) -> tuple[tuple[Agent, ...], tuple[str, ...]]:
    """Make the agents of a registry, and all faults of their code.

    Raises:
        TypeError: one of them is no such job type.
    """
    for each in written:
        if not isinstance(each, CodeAgent):
            raise TypeError(f"Registry(workflows=...): {each!r} is no workflow; decorate an async def with @workflow")
    made = [each.made() for each in written]
    missing = [
        f"workflow {each.name!r}: it calls workflow {other.name!r}, which is not registered; add it to"
        " Registry(workflows=[...])"
        for each in written
        for other in each.calls()
        if other not in written
    ]
    return tuple(agent for agent, _ in made if agent), (*(fault for _, faults in made for fault in faults), *missing)
