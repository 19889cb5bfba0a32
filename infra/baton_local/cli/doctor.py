"""`baton doctor`: one screen about a deployment: what is well, what is not, and what to do.

Exit codes: 0 nothing failed (warnings are no failure), 1 something did. It changes nothing; what it sends through the
queue are probes, which the functions answer and forget.
"""

import asyncio
import sys

import click

from baton_local.cli.place import Place, with_place
from baton_local.doctor.checkup import examine
from baton_local.doctor.finding import Level
from baton_local.doctor.outside import Outside
from baton_local.doctor.report import document, screen


@click.command()
@with_place
@click.option("--timeout", "timeout_seconds", type=click.IntRange(1, 300), default=20, show_default=True, metavar="S")
@click.option("--no-probe", is_flag=True, help="Send nothing through the queue.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def doctor(place: Place, *, timeout_seconds: int, no_probe: bool, as_json: bool) -> None:
    """Check a deployment, and name the way out of each fault."""
    findings = asyncio.run(examine(place.environment, Outside.of, 0 if no_probe else timeout_seconds))
    well = not any(finding.level is Level.FAILED for finding in findings)
    print(document(findings, place.origin) if as_json else screen(findings, place.origin))
    sys.exit(0 if well else 1)
