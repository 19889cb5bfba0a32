"""`POST /test/simple`: the scenario of the setup guide: runs a small job to its end and tells what happened.

Served only where ENABLE_TEST_ENDPOINT=true; it needs no key, so it takes no input, and runs an agent of our own.
"""

import asyncio
import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.agents.trial import TRIAL_AGENT
from baton.api.auth import Principal
from baton.api.job_view import job_view
from baton.api.jobs import JobsApi
from baton.api.problem import ApiError
from baton.api.submit_body import SubmitBody
from baton.container import Container

_TENANT = Principal("client", "test")
_LIMIT_SECONDS, _PAUSE_SECONDS = 60.0, 0.05


class SimpleScenario:
    """The one endpoint."""

    def __init__(self, container: Container, jobs: JobsApi) -> None:
        self._container = container
        self._jobs = jobs

    async def run(self, _request: Request) -> Response:
        """200 with the finished job and its events; 504 when it did not finish in time."""
        if not self._container.settings.enable_test_endpoint:
            raise ApiError(404, "there is no /test/simple here: set ENABLE_TEST_ENDPOINT=true to serve it")
        task = {"jobType": TRIAL_AGENT, "taskDescription": "a small job that touches every event"}
        body = SubmitBody.model_validate(task)
        job_id: str = (await self._jobs.accept(_TENANT, body, ""))["id"]
        ended = await self._wait(job_id)
        snapshot = await self._jobs.snapshot(_TENANT, job_id)
        parts = (await self._container.ports.reader.parts(job_id, 0)).parts
        answer: dict[str, Any] = {
            "job": job_view(snapshot, self._container.ports.clock.now_ms()),
            "events": [part["data"] for part in map(json.loads, parts) if part["type"] == "data-event"],
        }
        return JSONResponse(answer, 200 if ended else 504)

    async def _wait(self, job_id: str) -> bool:
        try:
            async with asyncio.timeout(_LIMIT_SECONDS):
                while True:
                    stored = await self._container.ports.reader.parts(job_id, -1)
                    if stored.job is not None and stored.job.ended:
                        return True
                    await asyncio.sleep(_PAUSE_SECONDS)
        except TimeoutError:
            return False
