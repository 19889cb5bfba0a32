"""A job as it is printed: a row in a list, or a page of its own. Only formats; text from a job is plain text."""

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from infra.cli.job_lines import compact, plain

_STATUS_STYLES = {"completed": "green", "failed": "bold red", "cancelled": "dim", "waiting": "yellow"}
_SHOWN_CHARS = 400


def print_jobs(console: Console, jobs: list[dict[str, Any]]) -> None:
    """A row for each job, its whole id first: it is what the other commands ask for."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("id", no_wrap=True, min_width=28)
    for name in ("status", "type", "created", "task"):
        table.add_column(name, no_wrap=True, overflow="ellipsis")
    for job in jobs:
        created = job["createdAt"][:19].replace("T", " ")
        table.add_row(job["id"], status_of(job), plain(job["jobType"]), created, plain(job["taskDescription"]))
    console.print(table)


def status_of(job: dict[str, Any]) -> Text:
    """The job's status in its colour."""
    return Text(job["status"], style=_STATUS_STYLES.get(job["status"], ""))


def print_job(console: Console, job: dict[str, Any]) -> None:
    """Everything about a job that a person asks for first."""
    rows: list[tuple[str, str | Text]] = [
        ("Job", job["id"]),
        ("Status", status_of(job)),
        ("Waits for", job["waitingFor"] or ""),
        ("Agent", job["jobType"]),
        ("Task", job["taskDescription"]),
        ("Session", job["sessionId"]),
        ("Created", job["createdAt"]),
        ("Finished", job["finishedAt"] or ""),
        ("Turns", str(job["turns"])),
        ("Usage", _usage(job["usage"])),
    ]
    if job["error"]:
        rows.append(("Error", f"{job['error']['type']}: {job['error']['message']}"))
    for name, value in rows:
        if value:
            shown = value if isinstance(value, Text) else Text(plain(value))
            console.print(Text.assemble((f"{name:<10} ", "bold"), shown), soft_wrap=True)
    for call in job["toolCalls"]:
        console.print(_call(call), soft_wrap=True)
    print_answer(console, job)


def print_answer(console: Console, job: dict[str, Any]) -> None:
    """The job's answer, if it has one."""
    answer = (job["result"] or {}).get("answer")
    if answer:
        console.print(Text("\nAnswer", style="bold"))
        console.print(Text("\n".join(plain(line) for line in compact(answer).splitlines())), soft_wrap=True)


def _usage(usage: dict[str, Any]) -> str:
    tokens = f"{usage['inputTokens']} + {usage['outputTokens']} tokens"
    return f"{usage['messages']} messages, {usage['redisCommands']} Redis commands, {tokens}, ${usage['costUsd']:.6f}"


def _call(call: dict[str, Any]) -> Text:
    outcome = call.get("error") or call.get("result")
    attempts = "once" if call["attempts"] == 1 else f"{call['attempts']} attempts"
    arguments, shown = compact(call["arguments"]), plain(compact(outcome))[:_SHOWN_CHARS] if outcome is not None else ""
    return Text.assemble(
        (f"  {call['tool']} ", "cyan"),
        plain(arguments)[:_SHOWN_CHARS],
        (f"  {call['status']}, {attempts} ", "dim"),
        shown,
    )
