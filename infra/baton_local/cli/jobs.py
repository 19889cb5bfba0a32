"""`baton jobs`: submit, list, show, cancel, retry, erase, over the API of a deployment or of the local stack.

`baton schedules`: the jobs that recur.

A change is made to jobs one by one, or to all that a filter selects, page by page with progress. Invariants: without a
filter and without ids nothing is changed. `--json` prints JSON and nothing else on the standard output; progress goes
to the standard error.
"""

import json
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from baton.client.requests import in_path
from baton.engine.transitions import JobStatus
from baton.store.transport.bodies import utf8_json
from baton_local.cli.deployment import Deployment, with_deployment
from baton_local.cli.job_events import JobLines, compact, plain
from baton_local.dev.stack_error import StackError

_AGAIN_SECONDS = 1.0  # what was cancelled has ended by then, as a rule
STATUSES = tuple(status.value for status in JobStatus)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which jobs a filter means; `dry_run`: they are only counted."""

    filter: dict[str, Any]
    dry_run: bool = False


def filtered(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a filter; the command gets what was given as `given`, by the API's names."""

    @click.option("--status", type=click.Choice(STATUSES), help="Jobs of this status.")
    @click.option("--type", "job_type", metavar="AGENT", help="Jobs of this agent.")
    @click.option("--session", metavar="ID", help="Jobs of this session.")
    @click.option("--tag", "tags", metavar="TAG", multiple=True, help="Jobs with this tag; repeated: with all of them.")
    @click.option("--search", "words", metavar="TEXT", help="Jobs whose task, answer or error has all these words.")
    @wraps(command)
    def collecting(
        *arguments: Any,
        status: str | None,
        job_type: str | None,
        session: str | None,
        tags: tuple[str, ...],
        words: str | None,
        **options: Any,
    ) -> None:
        given = {"status": status, "jobType": job_type, "sessionId": session, "tag": tags, "q": words}
        command(*arguments, given={name: value for name, value in given.items() if value}, **options)

    return collecting


def meant(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a filter by which jobs are changed; the command gets them as `wanted`."""

    @filtered
    @click.option("--dry-run", is_flag=True, help="Print how many jobs a filter selects, and change none.")
    @wraps(command)
    def selecting(*arguments: Any, given: dict[str, Any], dry_run: bool, **options: Any) -> None:
        command(*arguments, wanted=Wanted(given, dry_run), **options)

    return selecting


def change(deployment: Deployment, job_ids: tuple[str, ...], body: dict[str, str | bool], wanted: Wanted) -> None:
    """Change these jobs, or those that the filter means.

    Raises UsageError: both are given, or neither. StackError: the API refuses; what was changed before is printed.
    """
    if bool(job_ids) == bool(wanted.filter):
        raise click.UsageError(
            "name jobs by their ids, or all that a filter means (--status, --type, --session, --tag, --search)"
        )
    if wanted.filter:
        _in_bulk(deployment, body, wanted)
        return
    if wanted.dry_run:
        raise click.UsageError("--dry-run is for a filter: it prints how many jobs it selects")
    for job_id in job_ids:
        job = deployment.request("PATCH", f"/api/agent-jobs/{in_path(job_id)}", body)
        print(f"{job['id']}  {job['status']}", flush=True)


def _in_bulk(deployment: Deployment, body: dict[str, str | bool], wanted: Wanted) -> None:
    matched = changed = 0
    requested = {**body, "filter": wanted.filter, "dryRun": wanted.dry_run}
    while True:
        page = deployment.request("POST", "/api/admin/agent-jobs/bulk", requested)
        matched, changed = matched + page["matched"], changed + page["changed"]
        if not page.get("cursor"):
            break
        requested["cursor"] = page["cursor"]
        print(f"{matched} jobs so far ...", file=sys.stderr, flush=True)
    print(f"{matched} jobs match" if wanted.dry_run else f"{changed} of {matched} jobs changed")


as_json = click.option("--json", "shows_json", is_flag=True, help="Print JSON, as the API answers it.")
watching = click.option(
    "--watch",
    "watches",
    is_flag=True,
    help="Follow it to its end, as it happens; exit code 0 if it completes. With --json: a part a line.",
)


@click.group()
def jobs() -> None:
    """Submit jobs, and see what becomes of them."""


@jobs.command()
@with_deployment
@click.argument("job_type", metavar="AGENT")
@click.argument("task", nargs=-1)
@click.option("--input", "input_json", metavar="JSON|@FILE", help="inputData: a JSON object, or a file that holds one.")
@click.option("--session", metavar="ID", help="The job's conversation; default: one of its own.")
@click.option("--priority", type=click.IntRange(0, 9), help="9 is first; default 5.")
@click.option("--tag", "tags", metavar="TAG", multiple=True, help="A word to find the job by; may be repeated.")
@click.option("--delay", "delay_seconds", type=click.IntRange(0), metavar="SECONDS", help="Start so much later.")
@click.option("--start-at", metavar="TIME", help="Start then: RFC 3339, such as 2026-05-01T08:00:00Z.")
@click.option("--when-busy", type=click.Choice(["queue", "reject", "interrupt"]), help="While its session is busy.")
@click.option("--idempotency-key", default="", metavar="KEY", help="A repeat with the same key is the same job.")
@watching
@as_json
def submit(  # noqa: PLR0913 - one for each option
    deployment: Deployment,
    job_type: str,
    task: tuple[str, ...],
    *,
    input_json: str | None,
    session: str | None,
    priority: int | None,
    tags: tuple[str, ...],
    delay_seconds: int | None,
    start_at: str | None,
    when_busy: str | None,
    idempotency_key: str,
    watches: bool,
    shows_json: bool,
) -> None:
    """Submit a job to AGENT; the words after it are its task, which an agent with a plan may do without."""
    body = {
        "jobType": job_type,
        "taskDescription": " ".join(task) or None,
        "inputData": object_in(input_json, "--input") if input_json else None,
        "sessionId": session,
        "priority": priority,
        "tags": tags or None,
        "delaySeconds": delay_seconds,
        "startAt": start_at,
        "whenBusy": when_busy,
    }
    given = {name: value for name, value in body.items() if value is not None}
    job = deployment.request("POST", "/api/agent-jobs", given, key=idempotency_key)
    if watches:
        _watch(deployment, job["id"], shows_json=shows_json)
    elif shows_json:
        print_json(job)
    else:
        print(job["id"])


@jobs.command("list")
@with_deployment
@filtered
@click.option("--after", metavar="TIME", help="Created after: RFC 3339.")
@click.option("--before", metavar="TIME", help="Created before: RFC 3339.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="At most so many.")
@as_json
def list_jobs(
    deployment: Deployment,
    *,
    given: dict[str, Any],
    after: str | None,
    before: str | None,
    limit: int,
    shows_json: bool,
) -> None:
    """List jobs, the newest first."""
    found = deployment.all("/api/agent-jobs", "jobs", limit, **given, createdAfter=after, createdBefore=before)
    if shows_json:
        print_json(found)
    elif found:
        with Console() as console:
            _print_jobs(console, found)
    else:
        print("no such jobs")


@jobs.command()
@with_deployment
@click.argument("job_id", metavar="JOB")
@watching
@as_json
def show(deployment: Deployment, job_id: str, *, watches: bool, shows_json: bool) -> None:
    """Show a job: status, current wait, tool calls, usage by step, answer."""
    if watches:
        _watch(deployment, job_id, shows_json=shows_json)
    job = deployment.get(f"/api/agent-jobs/{in_path(job_id)}", steps="true")
    if shows_json:
        print_json(job)
    else:
        # In one piece: who stops reading at the line they look for, as `grep -q` does, makes no write fail.
        with Console() as console:
            _print_job(console, job)


@jobs.command()
@with_deployment
@click.argument("job_ids", metavar="JOB...", nargs=-1)
@click.option("--force", is_flag=True, help="End workflows at once, before they have cleaned up.")
@meant
def cancel(deployment: Deployment, job_ids: tuple[str, ...], *, force: bool, wanted: Wanted) -> None:
    """Cancel jobs, and those that they started: by their ids, or by a filter.

    A workflow cleans up first; a second cancel ends it at once.
    """
    change(deployment, job_ids, {"action": "cancel", **({"force": True} if force else {})}, wanted)


@jobs.command()
@with_deployment
@click.argument("job_ids", metavar="JOB...", nargs=-1)
@click.option("--from", "start", type=click.Choice(["failure", "start"]), default="failure", show_default=True)
@meant
def retry(deployment: Deployment, job_ids: tuple[str, ...], *, start: str, wanted: Wanted) -> None:
    """Run ended jobs again, from the step that failed or from the start: by their ids, or by a filter."""
    change(deployment, job_ids, {"action": "retry", "from": start}, wanted)


@jobs.command()
@with_deployment
@click.argument("subject_id", metavar="SUBJECT")
@click.option("--tenant", metavar="NAME", help="Whose subject it is; default: the key's tenant.")
@click.option("--yes", is_flag=True, help="Do not ask first.")
def erase(deployment: Deployment, subject_id: str, *, tenant: str | None, yes: bool) -> None:
    """Erase the data of a person: of all that came with this `subjectId`. Needs an admin key."""
    if not yes:
        click.confirm(f"Erase all data of {subject_id!r}? Nothing brings it back", abort=True, err=True)
    path, query, erased = f"/api/admin/subjects/{quote(subject_id, safe='')}", {"tenant": tenant}, Counter[str]()
    while True:
        found = deployment.request("DELETE", path, query=query if tenant else None)
        erased.update({name: count for name, count in found.items() if name != "running"})
        if not found["running"]:
            break
        print(f"{found['running']} still running", file=sys.stderr)
        time.sleep(_AGAIN_SECONDS)
    print(", ".join(f"{count} {name}" for name, count in erased.items()))


_SCHEDULES = "/api/agent-schedules"
_CHANGES = {"run": {"runNow": True}, "pause": {"paused": True}, "resume": {"paused": False}}


@click.command()
@with_deployment
@click.argument("verb", type=click.Choice(("list", *_CHANGES)), default="list", metavar="[list|run|pause|resume]")
@click.argument("wanted", metavar="[ID|NAME]...", nargs=-1)
@as_json
def schedules(deployment: Deployment, verb: str, wanted: tuple[str, ...], *, shows_json: bool) -> None:
    """List schedules; by an id, or a name in the code, run a job now, pause or resume."""
    found = deployment.get(_SCHEDULES)["schedules"]
    if verb != "list":
        if not wanted:
            raise click.UsageError(f"name what to {verb}, by id or by name: `baton schedules` lists all")
        chosen = [one for one in found if {one["id"], one["name"]} & {*wanted}]
        if unknown := {*wanted}.difference(*((one["id"], one["name"]) for one in chosen)):
            raise StackError(f"there is no schedule {min(unknown)!r}: `baton schedules` lists all")
        found = [deployment.request("PATCH", f"{_SCHEDULES}/{in_path(one['id'])}", _CHANGES[verb]) for one in chosen]
    if shows_json:
        print_json({"schedules": found})
        return
    for one in found:  # two lines each, so that ids stay whole in every terminal and pipe
        state = "paused" if one["paused"] else f"next {one['nextRunAt'] or 'unknown'}"
        started = f"  started {one['lastJobs'][0]}" if verb == "run" else ""
        print(f"{one['id']}  {one['name'] or ''}".rstrip() + started)
        task = f"{one['jobType']}: {one['cron']} {one['timeZone']}, {state}  {one['taskDescription']}"
        print(f"    {plain(task)}".rstrip())
    if not found:
        print("there are no schedules")


def _watch(deployment: Deployment, job_id: str, *, shows_json: bool) -> NoReturn:
    console, lines, began_ms, now_ms = Console(), JobLines(), 0, 0
    for part in deployment.parts(job_id):
        if shows_json:
            print(json.dumps(part, ensure_ascii=False), flush=True)
            continue
        if part["type"] == "data-event" or part["type"] == "data-lost":  # when it happened, which may be long ago
            now_ms = part["data"]["at"]
            began_ms = began_ms or now_ms - part["data"]["durationMs"]
        for line in lines.of(part, (now_ms - began_ms) / 1000):
            console.print(line, no_wrap=True, overflow="ellipsis", highlight=False)
    job = deployment.get(f"/api/agent-jobs/{in_path(job_id)}")
    if not shows_json:
        _print_answer(console, job)
        error = job["error"] or {"type": "", "message": ""}
        kind = f"{error['type']}: " if error["type"][:1].isupper() else ""  # the class of what was raised
        print(f"{job['id']}  {job['status']}" + (f": {kind}{error['message']}" if error["type"] else ""))
    sys.exit(0 if job["status"] == "completed" else 1)


def object_in(text: str, option: str) -> dict[str, Any]:
    """Return the JSON object in an option's value, or in the file that it names, read as the API reads a body.

    Raises BadParameter: there is none.
    """
    try:
        found = json.loads(utf8_json(Path(text[1:]).read_bytes() if text.startswith("@") else text.encode()))
    except OSError as error:
        raise click.BadParameter(f"{text[1:]} cannot be read: {error.strerror}", param_hint=option) from error
    except ValueError as error:
        raise click.BadParameter(f"{text[:100]!r} is not JSON: {error}", param_hint=option) from error
    if not isinstance(found, dict):
        raise click.BadParameter(f"{text[:100]!r} is not a JSON object", param_hint=option)
    return found


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


_STATUS_STYLES = {"completed": "green", "failed": "bold red", "cancelled": "dim", "waiting": "yellow"}
_SHOWN_CHARS, _SHOWN_STEPS = 400, 40


def _print_jobs(console: Console, jobs: list[dict[str, Any]]) -> None:
    """Print a row for each job, its whole id first: the other commands ask for it."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", expand=True)
    table.add_column("id", no_wrap=True, min_width=28)
    table.add_column("status", no_wrap=True, min_width=10)
    table.add_column("created", no_wrap=True, min_width=11)
    table.add_column("what", no_wrap=True, overflow="ellipsis", ratio=1)
    for job in jobs:
        created = job["createdAt"][5:16].replace("T", " ")  # without its year, it fits 80 columns
        what = job["summary"] if job["summary"].startswith(job["jobType"]) else f"{job['jobType']}: {job['summary']}"
        table.add_row(job["id"], _status_of(job), created, plain(what))
    console.print(table)


def _status_of(job: dict[str, Any]) -> Text:
    return Text(job["status"], style=_STATUS_STYLES.get(job["status"], ""))


def _print_job(console: Console, job: dict[str, Any]) -> None:
    rows: list[tuple[str, str | Text]] = [
        ("Job", job["id"]),
        ("Status", _status_of(job)),
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
        for line in [line for each in call.get("printed", ()) for line in each["text"].splitlines()]:
            console.print(Text(f"    | {plain(line)}", style="dim"), soft_wrap=True)
    if job.get("steps"):
        _print_steps(console, job)
    _print_answer(console, job)


def _print_answer(console: Console, job: dict[str, Any]) -> None:
    result = job["result"] or {}
    answer = result.get("answer")
    if answer:
        mark = " (cut off by its length limit)" if result.get("cut") else ""
        console.print(Text(f"\nAnswer{mark}", style="bold"))
        console.print(Text("\n".join(plain(line) for line in compact(answer).splitlines())), soft_wrap=True)


def _print_steps(console: Console, job: dict[str, Any]) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("step", no_wrap=True, overflow="ellipsis", min_width=12)
    for name in ("messages", "requests", "commands", "bytes", "ms", "tokens", "cost"):
        table.add_column(name, justify="right", no_wrap=True)
    older = len(job["steps"]) - _SHOWN_STEPS
    for step in job["steps"][max(0, older) :]:
        table.add_row(plain(f"{step['turn']}: {step['tool'] or 'turn'}"), *_used(step))
    table.add_row("outside steps", *_used(job["besideSteps"]), style="dim")
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
