"""The tools of this deployment, and how each one does."""

from starlette.responses import Response

from baton.api.tools import ToolsApi
from baton.console.gate import Visit


class ToolsPage:
    """Shows tools."""

    def __init__(self, tools: ToolsApi) -> None:
        self._tools = tools

    async def show(self, visit: Visit) -> Response:
        """Every tool there is, and those that were used and are gone."""
        return visit.page("tools.html", tools=await self._tools.counters())
