"""A source of tools among an agent's tools: its tools are known only while a job runs."""

from abc import ABC, abstractmethod


class ToolSource(ABC):
    """Lists its tools for each piece of work. It does not know how: agents without one load none of that."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The name that messages for people use."""
