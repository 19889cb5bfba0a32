"""`GET /api/metrics`: the deployment's figures for Prometheus (CONTRACT, "Operations, worker, tools, health")."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from functions.api.exposition import CONTENT_TYPE, Measured, exposition
from functions.container import Container


class MetricsApi:
    """The one endpoint; who may read it is the guard's to say."""

    def __init__(self, container: Container) -> None:
        self._container = container

    async def show(self, _request: Request) -> Response:
        """200 and the text of one scrape; over all tenants."""
        ports = self._container.ports
        sums, tools, book = await asyncio.gather(
            ports.figures.sums(), ports.tool_statistics.figures(), ports.admission.book()
        )
        measured = Measured(sums, tools, book, self._container.settings.max_concurrent_jobs)
        return Response(exposition(measured), headers={"content-type": CONTENT_TYPE, "cache-control": "no-store"})
