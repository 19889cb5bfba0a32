"""`baton check` and `baton doctor`: whether a deployment answers and works, what is wrong with it, and what to do.

`check` runs a job: each check is a line, and the first that fails ends the command. `doctor` shows one screen of
findings. Invariant: the exit code is 1 if and only if something failed (warnings are no failure). The doctor changes
nothing; it sends probes through the queue, which the functions answer and forget.
"""

import asyncio
import shutil
import sys
import time
from http import HTTPStatus
from typing import Any

import click
import httpx

from baton.engine.transitions import END_STATUSES
from baton_events.proxies import EnvironmentTransport
from baton_local.cli.deployment import Deployment, with_deployment
from baton_local.cli.place import Place, with_place
from baton_local.dev.stack_error import StackError
from baton_local.doctor.checkup import Services, examine
from baton_local.doctor.finding import WIDTH, Level, document, screen


@click.command()
@with_deployment
@click.option("--agent", help="Run one small job of this agent, too, and wait for its end.")
@click.option("--timeout", "timeout_seconds", type=click.IntRange(1), default=30, show_default=True, metavar="SECONDS")
def check(deployment: Deployment, *, agent: str | None, timeout_seconds: int) -> None:
    """Check that the API answers, reaches its store and accepts the key, and that jobs get slots."""
    _line("address", deployment.url)
    _answers(deployment, "/healthz", "the app answers", "is the address right, and does the app run?")
    _answers(deployment, "/readyz", "its store answers", "check UPSTASH_REDIS_REST_URL and its token")
    deployment.get("/api/agent-jobs", limit=1)
    _line("ok", "the key is accepted")
    _check_admission(deployment)
    if agent is not None:
        _run_a_job(deployment, agent, timeout_seconds)


def _check_admission(deployment: Deployment) -> None:
    try:
        state = deployment.get("/api/admin/agent-worker")
    except StackError as error:
        if getattr(error.__cause__, "status", 0) != HTTPStatus.FORBIDDEN:
            raise
        _line("unknown", "whether jobs get slots: only an admin key may see it")
        return
    counters = f"{state['activeJobs']} of {state['maxConcurrentJobs']} jobs at work, {state['pendingJobs']} in line"
    counters += f", a tenant's bound is {state['maxJobsPerTenant']}" if state.get("maxJobsPerTenant") else ""
    if not state["running"]:
        _fail(f"no job starts ({counters}): let them with POST /api/admin/agent-worker, or in the console")
    _line("ok", f"jobs start: {counters}")
    _line("ok", f"last sweep: {state['lastSweepAt'] or 'none yet'}")
    for row in deployment.get("/api/admin/budgets", limit=100)["budgets"]:
        if row["unit"] == "usd" and row["declared"] and not (row["spent"] or row["reserved"] or row["largest"]):
            _line("note", f"budget {row['key']!r} in dollars has counted nothing: has its model a list price?")


def _run_a_job(deployment: Deployment, agent: str, timeout_seconds: int) -> None:
    job = deployment.request("POST", "/api/agent-jobs", {"jobType": agent, "taskDescription": "Is anybody there?"})
    _line("ok", f"job {job['id']} is accepted")
    until = time.monotonic() + timeout_seconds
    while job["status"] not in END_STATUSES and time.monotonic() < until:
        time.sleep(0.2)
        job = deployment.get(f"/api/agent-jobs/{job['id']}")
    _judge(job, timeout_seconds)


def _judge(job: dict[str, Any], timeout_seconds: int) -> None:
    if job["status"] == "completed":
        _line("ok", f"it completed after {job['turns']} turn(s)")
    elif job["status"] in END_STATUSES:
        _fail(f"it {job['status']}: {job['error']['message']}")
    else:
        _fail(
            f"after {timeout_seconds} s it is {job['status']}, and waits for {job['waitingFor'] or 'its next event'}: "
            "does the queue reach WORKER_BASE_URL, and are its signing keys the app's?"
        )


def _answers(deployment: Deployment, path: str, what: str, hint: str) -> None:
    try:
        with httpx.Client(transport=EnvironmentTransport(), timeout=10.0) as http:
            response = http.get(deployment.url + path)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise StackError(f"{deployment.url}{path} does not answer ({error}): {hint}") from error
    if not response.is_success:
        _fail(f"{path} answers {response.status_code}: {hint}")
    _line("ok", what)


def _line(label: str, text: str) -> None:
    print(f"{label:<8}{text}", flush=True)


def _fail(text: str) -> None:
    print(f"{'failed':<8}{text}", flush=True)
    sys.exit(1)


@click.command()
@with_place
@click.option("--timeout", "timeout_seconds", type=click.IntRange(1, 300), default=20, show_default=True, metavar="S")
@click.option("--no-probe", is_flag=True, help="Send nothing through the queue.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def doctor(place: Place, *, timeout_seconds: int, no_probe: bool, as_json: bool) -> None:
    """Check a deployment, and name the way out of each fault."""
    findings = asyncio.run(examine(place.environment, Services.of, 0 if no_probe else timeout_seconds))
    well = not any(finding.level is Level.FAILED for finding in findings)
    width = min(WIDTH, shutil.get_terminal_size((WIDTH, 0)).columns)
    print(document(findings, place.origin) if as_json else screen(findings, place.origin, width))
    sys.exit(0 if well else 1)
