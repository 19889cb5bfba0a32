"""The course of a demo on a running stack: submit, watch, sum up.

Invariant: everything shown comes from the product's public API and from the servers' counters, as any client could
read them. Returns the exit code: 0 when the job completed.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import httpx

from infra.cli.demo.cost import read_cost
from infra.cli.demo.fault import KillApp
from infra.cli.demo.job_client import JobClient
from infra.cli.demo.scenario import Scenario
from infra.cli.demo.view import DemoView
from infra.dev.dev_file import DevFile
from infra.dev.stack_error import StackError

JOB_LIMIT_SECONDS = 180.0
NEXT_STEP = "Next: `baton dev` keeps such a stack running; README shows how to add agents."


@dataclass(frozen=True)
class Story:
    """A demo about to be told."""

    scenario: Scenario
    stack: DevFile
    view: DemoView
    fault: KillApp | None = None

    async def tell(self) -> int:
        """Run the job and show it; return the exit code."""
        async with httpx.AsyncClient(timeout=httpx.Timeout(10.0, read=JOB_LIMIT_SECONDS), trust_env=False) as http:
            try:
                return await self._tell(http)
            except httpx.HTTPError as error:
                raise StackError(
                    f"{error.request.url} does not answer as it should: {error or type(error).__name__}"
                ) from error

    async def _tell(self, http: httpx.AsyncClient) -> int:
        client = JobClient(http, self.stack.app_url, self.stack.client_key)
        before = await read_cost(http, self.stack)
        started = time.monotonic()
        job_id = await client.submit(self.scenario.job_type, self.scenario.task)
        self.view.begin(self.scenario.job_type, self.scenario.task, job_id)
        try:
            async with asyncio.timeout(JOB_LIMIT_SECONDS):
                await self._watch(client, job_id, started)
        except TimeoutError as error:
            raise StackError(f"job {job_id} did not end within {JOB_LIMIT_SECONDS:g} s") from error
        wall_seconds = time.monotonic() - started
        job = await client.job(job_id)
        if job["status"] != "completed":
            self.view.say(f"The job ended as {job['status']}: {_reason(job)}", "bold red")
            return 1
        self.view.answer(str(job["result"]["answer"]))
        self.view.bill(await read_cost(http, self.stack) - before, wall_seconds)
        self.view.say(NEXT_STEP)
        return 0

    async def _watch(self, client: JobClient, job_id: str, started: float) -> None:
        """Show the parts as they come, and bring the fault when its time has come."""
        async for part in client.parts(job_id):
            self.view.part(part, time.monotonic() - started)
            killed = self.fault.after_event(self.view.events) if self.fault is not None else None
            if killed is not None:
                self.view.say(f"  !!  kill -9 of the app (process {killed}) in the middle of the job", "bold red")
                self.view.say(
                    "      what it had just begun is claimed for some ten seconds more; then on it goes", "dim"
                )


def _reason(job: dict[str, Any]) -> str:
    error = job.get("error")
    return str(error["message"]) if error else str(job.get("waitingFor") or "no reason was recorded")
