"""`/api/admin/agent-worker`: whether jobs are admitted, and how many are at work (CONTRACT, "Operations, worker")."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.admission.worker import Worker
from baton.container import Container
from baton.ports import AdmissionState
from baton_events.timestamps import rfc3339


class WorkerApi:
    """The three methods; each answers how the admission stands. All may be repeated."""

    def __init__(self, container: Container) -> None:
        ports = container.ports
        self._worker = Worker(ports.admission_control, container.emitter, ports.clock, ports.randomness)

    async def show(self, _request: Request) -> Response:
        """200."""
        return JSONResponse(worker_view(await self._worker.state()))

    async def start(self, _request: Request) -> Response:
        """200: jobs get slots from now on."""
        return JSONResponse(worker_view(await self._worker.start()))

    async def stop(self, _request: Request) -> Response:
        """200: nobody gets a slot from now on; who holds one goes on."""
        return JSONResponse(worker_view(await self._worker.stop()))


def worker_view(state: AdmissionState) -> dict[str, Any]:
    """How the admission stands, as the API shows it."""
    return {
        "running": not state.stopped_ms,
        "stoppedAt": rfc3339(state.stopped_ms) if state.stopped_ms else None,
        "activeJobs": state.active,
        "pendingJobs": state.pending,
        "maxConcurrentJobs": state.slots,
        "lastSweepAt": rfc3339(state.swept_ms) if state.swept_ms else None,
    }
