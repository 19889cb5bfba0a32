"""What an agent has among its tools, and is none: it has tools that are known only while a job runs."""

from abc import ABC, abstractmethod


class ToolSource(ABC):
    """Its tools are listed for each piece of work. Knows nothing of how: agents without one load none of that."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What people read where it is meant."""
