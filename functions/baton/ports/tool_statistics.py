"""How tools are used, over all jobs; counted by the COMMIT of each attempt (`Changes.used`)."""

from typing import Protocol

from baton.core.tool_use import ToolCounters


class ToolStatistics(Protocol):
    """Counters for people. A COMMIT that is repeated may count twice, one that is lost in a failover not at all."""

    async def counters(self) -> tuple[ToolCounters, ...]:
        """Of every tool that was ever used, by name."""
        ...
