"""The course of a demo on a running stack: one line per event as it happens, then the answer and what it cost.

Everything shown comes from the product's public API and from the servers' counters, as any client could read them. One
line stays one line, cut to the width of the terminal, and all reads well in 80 columns and without colour. Text from a
job is shown as plain text: control characters are taken out, markup is not interpreted.
"""

import asyncio
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple, cast

import httpx
from rich.console import Console
from rich.table import Table
from rich.text import Text

from baton.client import ApiError, AsyncBatonClient, ConflictError, Job
from baton.sdk.records.stream_part import StreamPart
from baton_local.cli.job_events import JobLines, plain
from baton_local.dev.data_folder import DevFile
from baton_local.dev.stack_error import StackError

JOB_LIMIT_SECONDS = 180.0
POLL_SECONDS = 1.0
_ANSWER_WIDTH, _INDENT = 100, "  "
_LOG_LINES_KEPT = 12


class Task(NamedTuple):
    """A job to submit; tasks with the same `session` are one conversation, without one each is its own."""

    text: str
    session: str = ""
    data: Mapping[str, Any] | None = None


class Scenario(NamedTuple):
    """An agent's jobs, one after another. `about`: in a line, what there is to see.

    `kill_after`: so many events `--fault kill` comes, early enough that the first job is in its middle. `app`: the
    registry that has the agent; `needs`: the extra that it needs.
    """

    job_type: str
    about: str
    tasks: tuple[Task, ...]
    kill_after: int = 4
    app: str = "baton.sdk.agents:registry"
    needs: str = ""


class Story:
    """A demo on a screen, which also gets the stack's messages."""

    def __init__(self, scenario: Scenario, console: Console) -> None:
        self._scenario, self._console = scenario, console
        self._log_lines: deque[str] = deque(maxlen=_LOG_LINES_KEPT)
        self._events, self._started = 0, 0.0

    def show(self, text: str, style: str = "") -> None:
        self._line(Text(plain(text), style=style))

    def notice(self, name: str, line: str) -> None:
        self.show(f"  !!  {name} {line}", "yellow")

    def log_line(self, name: str, line: str) -> None:
        """Keep it, in case the demo fails."""
        self._log_lines.append(f"{name} | {line}")

    def show_last_log_lines(self) -> None:
        for line in self._log_lines:
            self.show(line, "dim")

    async def play(self, stack: DevFile, app_process: Callable[[], int | None] | None = None) -> int:
        """Run the jobs and show them; return the exit code: 0 when all have completed.

        With `app_process`, the app's process of that moment is killed once. Nothing here repairs it: the queue delivers
        again and the supervisor starts a new process, which is the point of the demo.
        """
        self._app_process = app_process
        async with httpx.AsyncClient(timeout=httpx.Timeout(10.0, read=JOB_LIMIT_SECONDS), trust_env=False) as http:
            try:
                before = await _counters(http, stack)
                self._started = time.monotonic()
                for task in self._scenario.tasks:
                    job = await self._run(stack, task)
                    if job.status != "completed":
                        reason = job.error.message if job.error else job.waiting_for or "no reason was recorded"
                        self.show(f"The job ended as {job.status}: {reason}", "bold red")
                        return 1
                    self._answer(job)
                wall_seconds = time.monotonic() - self._started
                after = await _counters(http, stack)
            except ApiError as error:
                raise StackError(str(error)) from error
            except httpx.HTTPError as error:
                fault = str(error) or type(error).__name__
                raise StackError(f"{error.request.url} does not answer as it should: {fault}") from error
        if stack.qstash_url:
            self._bill([now - then for now, then in zip(after, before, strict=True)], wall_seconds)
        self.show("Next: `baton dev` keeps such a stack running; README shows how to add agents.")
        return 0

    async def _run(self, stack: DevFile, task: Task) -> Job:
        # The operator is shown the timeline, too, and decides.
        async with _client(stack, stack.client_key) as client, _client(stack, stack.admin_key) as operator:
            job_type, data = self._scenario.job_type, dict(task.data or {}) or None
            job_id = (await client.submit(job_type, task.text, session=task.session or None, input_data=data)).id
            for title, text in (("Question", plain(task.text)), ("Session", plain(task.session)), ("Job", job_id)):
                if text or title != "Session":
                    agent = f" (agent {job_type})" if title == "Job" else ""
                    self._line(Text.assemble((f"{title:<10}", "bold"), text, agent))
            self.show("")
            self.show(f"{'time':>7}  {'event':<23} {'took':>8}  try  what happened", "dim")
            try:
                async with asyncio.timeout(JOB_LIMIT_SECONDS):
                    await self._follow(operator, job_id, JobLines())
            except TimeoutError as error:
                raise StackError(f"job {job_id} did not end within {JOB_LIMIT_SECONDS:g} s") from error
            return await client.get(job_id)

    async def _follow(self, operator: AsyncBatonClient, job_id: str, lines: JobLines, depth: int = 0) -> None:
        """Show a job's parts in order, and those of all jobs below it, each once; approve what it asks."""
        below: dict[str, asyncio.Task[None]] = {}
        try:
            async for streamed in operator.stream(job_id):
                part = cast("StreamPart", streamed.raw)
                self._events += part["type"] == "data-event"
                for line in lines.of(part, time.monotonic() - self._started):
                    self._line(line)
                if part["type"] == "data-operation":
                    child, name = part["data"].get("jobId"), str(part["data"].get("tool", ""))
                    if child and child not in below:
                        following = self._follow(operator, child, JobLines(name, depth + 1), depth + 1)
                        below[child] = asyncio.create_task(following)
                elif part["type"] == "data-checkpoint":
                    question = part["data"]
                    if (question["type"], question["status"]) == ("approval", "pending"):
                        below[question["id"]] = asyncio.create_task(self._approve(operator, question["id"]))
                self._kill_in_the_middle()
            await asyncio.gather(*below.values())
        finally:
            for task in below.values():
                task.cancel()
            await asyncio.gather(*below.values(), return_exceptions=True)

    async def _approve(self, operator: AsyncBatonClient, checkpoint_id: str) -> None:
        """Approve as a person would after a look; leave a call that was decided meanwhile as it is."""
        self.show("      nothing runs until a person has decided; here the demo approves", "dim")
        await asyncio.sleep(POLL_SECONDS)
        with suppress(ConflictError):
            await operator.approve(checkpoint_id, comment="by the demo")

    def _kill_in_the_middle(self) -> None:
        process = self._app_process() if self._app_process and self._events >= self._scenario.kill_after else None
        if process is not None:
            self._app_process = None
            os.kill(process, signal.SIGKILL)
            self.show(f"  !!  kill -9 of the app (process {process}) in the middle of the job", "bold red")
            self.show("      what it had just begun is claimed for ten seconds more; then on it goes", "dim")

    def _answer(self, job: Job) -> None:
        """Show what was retrieved of memory, an entry a line, and the job's answer, wrapped."""
        entries = (job.memory or {}).get("entries", [])
        if entries:
            self.show("")
            self.show("Retrieved from memory", "bold")
        for entry in entries:
            near = f" ({entry['score']:.2f} near)" if "score" in entry else ""
            where = f"{entry['kind']} of session {entry['sessionId']}{near}: "
            self._line(Text.assemble(_INDENT, (plain(where), "yellow"), plain(entry["text"])))
        self.show("")
        self.show("Answer", "bold")
        text = Text("\n".join(plain(line) for line in job.answer_text.splitlines()))
        for line in text.wrap(self._console, min(self._console.width, _ANSWER_WIDTH) - len(_INDENT)):
            self._line(Text(_INDENT + line.plain.rstrip()))
        self.show("")

    def _bill(self, used: list[int], wall_seconds: float) -> None:
        messages, deliveries, requests, commands = used
        per_event = [f"{count / max(self._events, 1):.1f} per event" for count in (requests, commands)]
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        table.add_column(style="bold")
        table.add_column(justify="right")
        table.add_column(style="dim")
        for row in (
            ("Events handled", f"{self._events}", "steps: a model turn, a tool call, a result taken in"),
            ("Queue messages", f"{messages}", f"sent; {deliveries} deliveries brought them, retries included"),
            ("Redis requests", f"{requests}", f"{per_event[0]}, reading this stream included"),
            ("Redis commands", f"{commands}", per_event[1]),
            ("Wall time", f"{wall_seconds:.2f} s", ""),
        ):
            table.add_row(*row)
        self._console.print(table)
        self.show("")

    def _line(self, text: Text) -> None:
        self._console.print(text, no_wrap=True, overflow="ellipsis", highlight=False)


def _client(stack: DevFile, key: str) -> AsyncBatonClient:
    # A transport of its own, so that no proxy of the environment is asked for what is on this machine.
    return AsyncBatonClient(stack.app_url, key, transport=httpx.AsyncHTTPTransport())


async def _counters(http: httpx.AsyncClient, stack: DevFile) -> tuple[int, int, int, int]:
    """Return what both servers count: messages, deliveries, requests, and commands with those inside scripts.

    A queue in the store has no counters of its own.
    """
    if not stack.qstash_url:
        return 0, 0, 0, 0
    found = []
    for url, token in ((stack.qstash_url, stack.qstash_token), (stack.redis_url, stack.redis_token)):
        response = await http.get(f"{url}/admin/counters", headers={"Authorization": f"Bearer {token}"})
        found.append(response.raise_for_status().json())
    users, redis = found[0]["users"].values(), found[1]
    messages, deliveries = (sum(user[name] for user in users) for name in ("published", "deliveries"))
    return messages, deliveries, redis["http_requests"], redis["commands_executed"]
