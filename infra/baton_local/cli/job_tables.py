"""A job as it is printed: a row in a list, or a page of its own. Only formats; text from a job is plain text."""

import textwrap
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from baton_local.cli.job_events import compact, plain

_STATUS_STYLES = {"completed": "green", "failed": "bold red", "cancelled": "dim", "waiting": "yellow"}
_SHOWN_CHARS, _SHOWN_STEPS = 400, 40


def print_jobs(console: Console, jobs: list[dict[str, Any]]) -> None:
    """Print a row for each job, its whole id first: the other commands ask for it."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", expand=True)
    table.add_column("id", no_wrap=True, min_width=28)
    table.add_column("status", no_wrap=True, min_width=10)
    table.add_column("type", no_wrap=True, overflow="ellipsis", min_width=8, max_width=12)
    table.add_column("created", no_wrap=True, min_width=11)
    table.add_column("task", no_wrap=True, overflow="ellipsis", ratio=1)
    for job in jobs:
        created = job["createdAt"][5:16].replace("T", " ")  # without its year, it fits 80 columns
        table.add_row(job["id"], status_of(job), plain(job["jobType"]), created, plain(job["taskDescription"]))
    console.print(table)


def status_of(job: dict[str, Any]) -> Text:
    return Text(job["status"], style=_STATUS_STYLES.get(job["status"], ""))


def print_job(console: Console, job: dict[str, Any]) -> None:
    """Print everything about a job that a person asks for first."""
    rows: list[tuple[str, str | Text]] = [
        ("Job", job["id"]),
        ("Status", status_of(job)),
        ("Waits for", job["waitingFor"] or ""),
        ("Agent", job["jobType"]),
        ("Task", job["taskDescription"]),
        ("Session", job["sessionId"]),
        ("Tags", ", ".join(job.get("tags", []))),
        ("Created", job["createdAt"]),
        ("Finished", job["finishedAt"] or ""),
        ("Turns", str(job["turns"])),
        ("Usage", _folded(_usage(job["usage"]))),
        ("Cost", _folded(_cost(job["cost"]))),
    ]
    if job["error"]:
        rows.append(("Error", f"{job['error']['type']}: {job['error']['message']}"))
    for name, value in rows:
        if value:
            shown = value if isinstance(value, Text) else Text(plain(value))
            console.print(Text.assemble((f"{name:<10} ", "bold"), shown), soft_wrap=True)
    for call in job["toolCalls"]:
        console.print(_call(call), soft_wrap=True)
    if job.get("steps"):
        _print_steps(console, job)
    print_answer(console, job)


def print_answer(console: Console, job: dict[str, Any]) -> None:
    result = job["result"] or {}
    answer = result.get("answer")
    if answer:
        mark = " (cut off by its length limit)" if result.get("cut") else ""
        console.print(Text(f"\nAnswer{mark}", style="bold"))
        console.print(Text("\n".join(plain(line) for line in compact(answer).splitlines())), soft_wrap=True)


def _print_steps(console: Console, job: dict[str, Any]) -> None:
    """Print the usage of each step, and what came beside them."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("step", no_wrap=True, overflow="ellipsis", min_width=12)
    for name in ("messages", "requests", "commands", "bytes", "ms", "tokens", "cost"):
        table.add_column(name, justify="right", no_wrap=True)
    older = len(job["steps"]) - _SHOWN_STEPS
    for step in job["steps"][max(0, older) :]:
        table.add_row(plain(f"{step['turn']}: {step['tool'] or 'turn'}"), *_used(step))
    table.add_row("beside steps", *_used(job["besideSteps"]), style="dim")
    left_out = f", {older} older ones are left out (--json has them)" if older > 0 else ""
    console.print(Text.assemble(("\nUsed by step", "bold"), (left_out, "dim")))
    console.print(table)


def _used(row: dict[str, Any]) -> list[str]:
    usage = row["usage"]
    counts = [usage[name] for name in ("messages", "redisRequests", "redisCommands", "redisBytes", "functionMs")]
    tokens = usage["inputTokens"] + usage["outputTokens"]
    return [*map(str, counts), str(tokens), f"${row['cost']['totalUsd']:.6f}"]


def _folded(text: str) -> Text:
    """Return a list of numbers in lines that fit 80 columns behind a row's name."""
    return Text(f"\n{' ' * 11}".join(textwrap.wrap(text, 80 - 11)))


def _usage(usage: dict[str, Any]) -> str:
    tokens = f"{usage['inputTokens']} + {usage['outputTokens']} tokens"
    queue = f"{usage['messages']} messages ({usage['deliveries']} deliveries)"
    redis = f"{usage['redisCommands']} Redis commands in {usage['redisRequests']} requests, {usage['redisBytes']} bytes"
    return f"{tokens}, {queue}, {redis}, {usage['functionMs']} ms of functions ({usage['gbSeconds']} GB-s)"


def _cost(cost: dict[str, Any]) -> str:
    names = {"modelUsd": "models", "queueUsd": "queue", "redisUsd": "Redis", "functionsUsd": "functions"}
    parts = ", ".join(f"{name} ${cost[field]:.6f}" for field, name in names.items())
    return f"${cost['totalUsd']:.6f}: {parts}"


def _call(call: dict[str, Any]) -> Text:
    outcome = call.get("error") or call.get("result") or call.get("resultRef")
    attempts = "once" if call["attempts"] == 1 else f"{call['attempts']} attempts"
    arguments, shown = compact(call["arguments"]), plain(compact(outcome))[:_SHOWN_CHARS] if outcome is not None else ""
    return Text.assemble(
        (f"  {call['tool']} ", "cyan"),
        plain(arguments)[:_SHOWN_CHARS],
        (f"  {call['status']}, {attempts} ", "dim"),
        shown,
    )
