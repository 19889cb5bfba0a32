"""The course of a demo on a running stack: submit, watch, sum up.

Invariant: everything shown comes from the product's public API and from the servers' counters, as any client could
read them. Returns the exit code: 0 when the job completed.
"""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx

from baton.client import ApiError, AsyncBatonClient, ConflictError, Job
from baton.sdk.records.stream_part import StreamPart
from baton_local.cli.demo.scenario import KillApp, Scenario, Task
from baton_local.cli.demo.view import DemoView, Member, follow, read_cost
from baton_local.dev.data_folder import DevFile
from baton_local.dev.stack_error import StackError

JOB_LIMIT_SECONDS = 180.0
POLL_SECONDS = 1.0
NEXT_STEP = "Next: `baton dev` keeps such a stack running; README shows how to add agents."


@dataclass(frozen=True)
class Story:
    """A demo about to be shown."""

    scenario: Scenario
    stack: DevFile
    view: DemoView
    fault: KillApp | None = None

    async def play(self) -> int:
        """Run the job and show it; return the exit code."""
        async with httpx.AsyncClient(timeout=httpx.Timeout(10.0, read=JOB_LIMIT_SECONDS), trust_env=False) as http:
            try:
                return await self._play(http)
            except ApiError as error:
                raise StackError(str(error)) from error
            except httpx.HTTPError as error:
                raise StackError(
                    f"{error.request.url} does not answer as it should: {error or type(error).__name__}"
                ) from error

    async def _play(self, http: httpx.AsyncClient) -> int:
        client = _client(self.stack.app_url, self.stack.client_key)
        before = await read_cost(http, self.stack)
        started = time.monotonic()
        for task in self.scenario.tasks:
            job = await self._run(client, task, started)
            if job.status != "completed":
                self.view.show(f"The job ended as {job.status}: {_reason(job)}", "bold red")
                return 1
            self.view.memory(job.memory)
            self.view.show_answer(job.answer_text)
            self.view.show("")
        wall_seconds = time.monotonic() - started
        self.view.bill(await read_cost(http, self.stack) - before, wall_seconds)
        self.view.show(NEXT_STEP)
        return 0

    async def _run(self, client: AsyncBatonClient, task: Task, started: float) -> Job:
        session, data = task.session or None, task.data or None
        job_id = (await client.submit(self.scenario.job_type, task.task, session=session, input_data=data)).id
        self.view.show_task(self.scenario.job_type, task.task, job_id, task.session)

        approvals: list[asyncio.Task[None]] = []
        operator = _client(self.stack.app_url, self.stack.admin_key)  # who is shown the timeline, too

        def show(member: Member, part: StreamPart) -> None:
            self.view.part(part, time.monotonic() - started, member)
            if part["type"] == "data-checkpoint" and _is_question(part["data"]):
                approvals.append(asyncio.create_task(self._approve(part["data"]["id"])))
            self._bring_fault()

        try:
            async with asyncio.timeout(JOB_LIMIT_SECONDS):
                await follow(operator, Member(job_id), show)
                await asyncio.gather(*approvals)
        except TimeoutError as error:
            raise StackError(f"job {job_id} did not end within {JOB_LIMIT_SECONDS:g} s") from error
        finally:
            for approval in approvals:
                approval.cancel()
        return await client.get(job_id)

    async def _approve(self, checkpoint_id: str) -> None:
        """Approve as a person would after a look; leave a call that was decided meanwhile as it is."""
        self.view.show("      nothing runs until a person has decided; here the demo approves", "dim")
        await asyncio.sleep(POLL_SECONDS)
        async with _client(self.stack.app_url, self.stack.admin_key) as operator:
            with suppress(ConflictError):
                await operator.approve(checkpoint_id, comment="by the demo")

    def _bring_fault(self) -> None:
        killed = self.fault.after_event(self.view.events) if self.fault is not None else None
        if killed is not None:
            self.view.show(f"  !!  kill -9 of the app (process {killed}) in the middle of the job", "bold red")
            self.view.show("      what it had just begun is claimed for ten seconds more; then on it goes", "dim")


def _is_question(checkpoint: dict[str, Any]) -> bool:
    return (checkpoint["type"], checkpoint["status"]) == ("approval", "pending")


def _reason(job: Job) -> str:
    return job.error.message if job.error else job.waiting_for or "no reason was recorded"


def _client(url: str, key: str) -> AsyncBatonClient:
    # A transport of its own, so that no proxy of the environment is asked for what is on this machine.
    return AsyncBatonClient(url, key, transport=httpx.AsyncHTTPTransport())
