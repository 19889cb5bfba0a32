"""Changing jobs from the command line: one by one, or all that a filter means, page by page with progress.

Invariant: a filter changes nothing before it was given: without one, and without ids, nothing is meant.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import click

from baton_local.cli.deployment import Deployment

STATUSES = ("pending", "processing", "waiting", "completed", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which jobs a filter means; `dry_run`: they are only counted."""

    filter: dict[str, str]
    dry_run: bool = False


def meant(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a filter; the command gets them as `wanted`."""

    @click.option("--status", type=click.Choice(STATUSES), help="All jobs of this status; needs an admin key.")
    @click.option("--type", "job_type", metavar="AGENT", help="All jobs of this agent.")
    @click.option("--session", metavar="ID", help="All jobs of this session.")
    @click.option("--dry-run", is_flag=True, help="Print how many jobs a filter selects, and change none.")
    @wraps(command)
    def filtered(
        *arguments: Any, status: str | None, job_type: str | None, session: str | None, dry_run: bool, **options: Any
    ) -> None:
        given = {"status": status, "jobType": job_type, "sessionId": session}
        wanted = Wanted({name: value for name, value in given.items() if value}, dry_run)
        command(*arguments, wanted=wanted, **options)

    return filtered


def change(deployment: Deployment, job_ids: tuple[str, ...], body: dict[str, str], wanted: Wanted) -> None:
    """Change these jobs, or those that the filter means.

    Raises:
        UsageError: both are given, or neither.
        StackError: the API refuses; what was changed before is printed.
    """
    if bool(job_ids) == bool(wanted.filter):
        raise click.UsageError("name jobs by their ids, or all that a filter means (--status, --type, --session)")
    if wanted.filter:
        _in_bulk(deployment, body, wanted)
        return
    if wanted.dry_run:
        raise click.UsageError("--dry-run is for a filter: it prints how many jobs it selects")
    for job_id in job_ids:
        job = deployment.ask("PATCH", f"/api/agent-jobs/{job_id}", body)
        print(f"{job['id']}  {job['status']}", flush=True)


def _in_bulk(deployment: Deployment, body: dict[str, str], wanted: Wanted) -> None:
    matched = changed = 0
    cursor: str | None = None
    while True:
        asked = {**body, "filter": wanted.filter, "dryRun": wanted.dry_run, **({"cursor": cursor} if cursor else {})}
        page = deployment.ask("POST", "/api/admin/agent-jobs/bulk", asked)
        matched, changed = matched + page["matched"], changed + page["changed"]
        cursor = page.get("cursor")
        if cursor is None:
            break
        print(f"{matched} jobs so far ...", file=sys.stderr, flush=True)
    print(f"{matched} jobs are meant" if wanted.dry_run else f"{changed} of {matched} jobs changed")
