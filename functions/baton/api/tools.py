"""`GET /api/admin/tools`: how each tool is used (CONTRACT, "Operations, worker, tools, health")."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.container import Container
from baton.core.tool_use import ToolCounters


class ToolsApi:
    """The one endpoint."""

    def __init__(self, container: Container) -> None:
        self._container = container

    async def show(self, _request: Request) -> Response:
        """200: every tool."""
        return JSONResponse({"tools": await self.counters()})

    async def counters(self) -> list[dict[str, Any]]:
        """Every tool there is, and those that were used and are gone; over all tenants."""
        capabilities = {item.name: sorted(item.capabilities) for item in self._container.registry.tools}
        used = {found.tool: found for found in await self._container.ports.tool_statistics.counters()}
        names = sorted({*capabilities, *used})
        return [_view(name, capabilities.get(name, []), used.get(name)) for name in names]


def _view(name: str, capabilities: list[str], used: ToolCounters | None) -> dict[str, Any]:
    return {
        "name": name,
        "capabilities": capabilities,
        "calls": used.calls if used else 0,
        "failures": used.failures if used else 0,
        "p50Ms": used.p50_ms if used else None,
        "p95Ms": used.p95_ms if used else None,
    }
