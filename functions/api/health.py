"""Health for load balancers and people; no key needed, nothing told but up or not."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from events.errors import StoreError
from functions.container import Container


async def healthz(_request: Request) -> Response:
    """The process answers."""
    return JSONResponse({"status": "ok"})


class Readiness:
    """`GET /readyz`: the agents are loaded and the store answers."""

    def __init__(self, container: Container) -> None:
        self._container = container

    async def readyz(self, _request: Request) -> Response:
        """200 when ready, else 503."""
        agents = [agent.name for agent in self._container.registry.agents]
        try:
            await self._container.ports.reader.ping()
        except StoreError:
            return JSONResponse({"status": "the store does not answer", "agents": agents}, 503)
        return JSONResponse({"status": "ready", "agents": agents})
