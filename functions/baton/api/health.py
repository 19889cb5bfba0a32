"""Health for load balancers and people; no key needed, nothing told but up or not, why, and by what."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.container import Container
from baton_events.errors import StoreError


class Health:
    """`GET /healthz`: the process needs no restart. `GET /readyz`: the agents are loaded and the store answers."""

    def __init__(self, container: Container) -> None:
        self._container = container

    async def healthz(self, _request: Request) -> Response:
        """200 while the process is healthy, else 503 and the reason."""
        fault = self._container.running_calls.fault()
        return JSONResponse({"status": "unhealthy", "reason": fault}, 503) if fault else JSONResponse({"status": "ok"})

    async def readyz(self, _request: Request) -> Response:
        """200 and how the store is reached when ready, else 503."""
        _ = self._container.registry  # what cannot be loaded is not ready
        try:
            await self._container.ports.reader.ping()
        except StoreError:
            return JSONResponse({"status": "the store does not answer"}, 503)
        return JSONResponse({"status": "ready", "store": "RESP" if self._container.settings.resp_url else "REST"})
