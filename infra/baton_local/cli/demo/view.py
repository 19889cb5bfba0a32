"""What the demo shows: one line per event as it happens, then the answer and what it cost.

The job and those that its tool calls start are followed together: each part of each once, each job's in order. The
cost is the difference of two readings of the counters that the two local servers keep. Invariant: one line stays one
line, cut to the width of the terminal, and everything reads well in 80 columns and without colour. Text from the job is
shown as plain text: control characters are taken out, markup is not interpreted. It decides nothing.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import httpx
from rich.console import Console
from rich.table import Table
from rich.text import Text

from baton.client import AsyncBatonClient
from baton.sdk.records.stream_part import StreamPart
from baton_local.cli.job_events import JobLines, plain
from baton_local.dev.data_folder import DevFile


@dataclass(frozen=True)
class Member:
    """A job: how deep below the first one, and the tool that started it."""

    job_id: str
    depth: int = 0
    name: str = ""


Show = Callable[[Member, StreamPart], None]


async def follow(client: AsyncBatonClient, member: Member, show: Show) -> None:
    """Show the parts of a job and of all jobs below it."""
    children: dict[str, asyncio.Task[None]] = {}
    try:
        async for streamed in client.stream(member.job_id):
            part = cast("StreamPart", streamed.raw)
            show(member, part)
            child = _started(part, member)
            if child is not None and child.job_id not in children:
                children[child.job_id] = asyncio.create_task(follow(client, child, show))
        await asyncio.gather(*children.values())
    finally:
        for task in children.values():
            task.cancel()
        await asyncio.gather(*children.values(), return_exceptions=True)


def _started(part: StreamPart, parent: Member) -> Member | None:
    if part["type"] != "data-operation" or not part["data"].get("jobId"):
        return None
    return Member(part["data"]["jobId"], parent.depth + 1, str(part["data"].get("tool", "")))


COUNTERS_PATH = "/admin/counters"


@dataclass(frozen=True)
class Cost:
    """Counts; commands include those that scripts run inside the server."""

    messages: int
    deliveries: int
    redis_requests: int
    redis_commands: int

    def __sub__(self, earlier: "Cost") -> "Cost":
        return Cost(
            messages=self.messages - earlier.messages,
            deliveries=self.deliveries - earlier.deliveries,
            redis_requests=self.redis_requests - earlier.redis_requests,
            redis_commands=self.redis_commands - earlier.redis_commands,
        )


async def read_cost(http: httpx.AsyncClient, stack: DevFile) -> Cost:
    """Return both servers' counts so far."""
    users = (await _counters(http, stack.qstash_url, stack.qstash_token))["users"].values()
    redis = await _counters(http, stack.redis_url, stack.redis_token)
    return Cost(
        messages=sum(user["published"] for user in users),
        deliveries=sum(user["deliveries"] for user in users),
        redis_requests=redis["http_requests"],
        redis_commands=redis["commands_executed"],
    )


async def _counters(http: httpx.AsyncClient, url: str, token: str) -> dict[str, Any]:
    response = await http.get(url + COUNTERS_PATH, headers={"Authorization": f"Bearer {token}"})
    response.raise_for_status()
    counters: dict[str, Any] = response.json()
    return counters


ANSWER_WIDTH = 100
ANSWER_INDENT = "  "
LOG_LINES_KEPT = 12
_ONLY = Member("")


class DemoView:
    """The demo on a screen; also gets the stack's messages."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._jobs: dict[str, JobLines] = {}
        self._log_lines: deque[str] = deque(maxlen=LOG_LINES_KEPT)
        self.events = 0

    def show(self, text: str, style: str = "") -> None:
        self._line(Text(plain(text), style=style))

    def show_task(self, job_type: str, task: str, job_id: str, session: str = "") -> None:
        self._line(Text.assemble(("Question  ", "bold"), plain(task)))
        if session:
            self._line(Text.assemble(("Session   ", "bold"), plain(session)))
        self._line(Text.assemble(("Job       ", "bold"), f"{job_id} (agent {job_type})"))
        self._line(Text(""))
        self._line(Text(f"{'time':>7}  {'event':<23} {'took':>8}  try  what happened", style="dim"))

    def part(self, part: StreamPart, elapsed_seconds: float, member: Member = _ONLY) -> None:
        """Show one part of a job's stream; a job below another one is shown below it."""
        if part["type"] == "data-event":
            self.events += 1
        lines = self._jobs.setdefault(member.job_id, JobLines(member.name, member.depth))
        for line in lines.of(part, elapsed_seconds):
            self._line(line)

    def notice(self, name: str, line: str) -> None:
        """Show what the supervisor says about a part."""
        self.show(f"  !!  {name} {line}", "yellow")

    def log_line(self, name: str, line: str) -> None:
        """Keep a line of a part's log, in case the demo fails."""
        self._log_lines.append(f"{name} | {line}")

    def show_last_log_lines(self) -> None:
        """Show what the parts' logs last complained about."""
        for line in self._log_lines:
            self.show(line, "dim")

    def memory(self, recalled: dict[str, Any] | None) -> None:
        """Show what was retrieved of memory, an entry a line; nothing for a job without."""
        entries = (recalled or {}).get("entries", [])
        if not entries:
            return
        self._line(Text(""))
        self._line(Text("Retrieved from memory", style="bold"))
        for entry in entries:
            near = f" ({entry['score']:.2f} near)" if "score" in entry else ""
            where = f"{entry['kind']} of session {entry['sessionId']}{near}: "
            self._line(Text.assemble(ANSWER_INDENT, (plain(where), "yellow"), plain(entry["text"])))

    def show_answer(self, text: str) -> None:
        """Show the job's answer, wrapped."""
        self._line(Text(""))
        self._line(Text("Answer", style="bold"))
        shown = Text("\n".join(plain(line) for line in text.splitlines()))
        for line in shown.wrap(self._console, min(self._console.width, ANSWER_WIDTH) - len(ANSWER_INDENT)):
            self._line(Text(ANSWER_INDENT + line.plain.rstrip()))

    def bill(self, cost: Cost, wall_seconds: float) -> None:
        per_event = max(self.events, 1)
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        table.add_column(style="bold")
        table.add_column(justify="right")
        table.add_column(style="dim")
        table.add_row("Events handled", str(self.events), "steps: a model turn, a tool call, a result taken in")
        table.add_row(
            "Queue messages", str(cost.messages), f"sent; {cost.deliveries} deliveries brought them, retries included"
        )
        table.add_row(
            "Redis requests",
            str(cost.redis_requests),
            f"{cost.redis_requests / per_event:.1f} per event, reading this stream included",
        )
        table.add_row("Redis commands", str(cost.redis_commands), f"{cost.redis_commands / per_event:.1f} per event")
        table.add_row("Wall time", f"{wall_seconds:.2f} s", "")
        self._console.print(table)
        self._line(Text(""))

    def _line(self, text: Text) -> None:
        self._console.print(text, no_wrap=True, overflow="ellipsis", highlight=False)
