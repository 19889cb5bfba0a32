"""`baton gate`: scores stored jobs that run again; `baton score`: what somebody thinks of a job, kept with it.

The gate's exit code is 1 where a score is too low, 2 for a wrong file.
"""

import re
import sys
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ElementTree, SubElement

import click
from rich.console import Console
from rich.table import Table

from baton.client.requests import in_path
from baton_local.cli.deployment import Deployment, deployment, naming_deployment, with_deployment
from baton_local.cli.stored.replay import registry_named
from baton_local.gate import GateFileError, Score, read_gate, scores

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")
_NAME_CHARS, _COMMENT_CHARS = 64, 2_000


class _Value(click.ParamType[bool | float]):
    """A number, `true` or `false`."""

    name = "value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bool | float:
        if value in ("true", "false"):
            return bool(value == "true")
        try:
            return float(value)
        except ValueError:
            return self.fail(f"{value!r} is no score: give true, false, or a number", param, ctx)


@click.command(context_settings={"ignore_unknown_options": True})
@with_deployment
@click.argument("job_id", metavar="JOB")
@click.argument("name", metavar="NAME")
@click.argument("value", type=_Value(), metavar="VALUE")
@click.option("--comment", default="", metavar="TEXT", help="Why.")
def score(deployment: Deployment, job_id: str, name: str, value: float, *, comment: str) -> None:
    """Score a job; a score of the same NAME is replaced.

    VALUE is a number, true or false.
    """
    send_score(deployment, job_id, name, value, comment)
    print(f"{job_id}: {name} {value:g}")


def send_score(deployment: Deployment, job_id: str, name: str, value: float, comment: str) -> None:
    """Keep a score with its job. Raises StackError: a refusal."""
    body = {"name": name, "value": value, "comment": comment}
    deployment.request("POST", f"/api/agent-jobs/{in_path(job_id)}/scores", body)


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE")
@naming_deployment
@click.option("--app", metavar="MODULE:ATTR", help="Offline: your agents' registry, imported from the current folder.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write JUnit XML, too.")
@click.option("--record", is_flag=True, help="Online: keep each score with the job that ran.")
def gate(
    *, file: Path, url: str | None, key: str | None, data: Path, app: str | None, junit: Path | None, record: bool
) -> None:
    """Run the stored jobs of a gate's FILE again, and score their answers."""
    try:
        spec = read_gate(file)
    except GateFileError as error:
        raise click.UsageError(str(error)) from error
    if record and spec.mode != "online":
        raise click.UsageError(f"--record needs `mode: online`: offline no job runs, and {file} says {spec.mode}")
    sys.path.insert(0, str(Path.cwd()))  # scorers are imported from here
    api = cache(lambda: deployment(url, key, data))
    found = list(scores(spec, api, cache(lambda: registry_named(app))))
    for score in found if record else ():
        name = _NOT_IN_NAMES.sub("-", score.scorer)[:_NAME_CHARS] or "-"
        send_score(api(), score.job_id, name, score.value, score.why[:_COMMENT_CHARS])
    _print(found)
    if junit is not None:
        junit_of(str(file), found).write(junit, encoding="utf-8", xml_declaration=True)
    sys.exit(0 if all(score.passed for score in found) else 1)


def _print(found: list[Score]) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("case", "scorer", "score", "min", ""):
        table.add_column(name, justify="right" if name in ("score", "min") else "left")
    for score in found:
        end = "[green]passed[/]" if score.passed else "[red]too low[/]"
        table.add_row(score.case, score.scorer, f"{score.value:g}", f"{score.minimum:g}", end)
    console = Console()
    console.print(table)
    for score in found:
        if not score.passed:
            console.print(f"{score.case}, {score.scorer}: {score.why}", markup=False, highlight=False)
    low = sum(not score.passed for score in found)
    console.print(f"{low} of {len(found)} scores too low" if low else f"{len(found)} scores, all high enough")


def junit_of(name: str, found: list[Score]) -> "ElementTree[Element]":
    """Return the scores as JUnit XML: a test case each."""
    failures = sum(not score.passed for score in found)
    suite = Element("testsuite", name=name, tests=str(len(found)), failures=str(failures), errors="0")
    for score in found:
        case = SubElement(suite, "testcase", classname=score.case, name=score.scorer)
        if not score.passed:
            message = f"{score.value:g} is below {score.minimum:g}"
            SubElement(case, "failure", message=message).text = score.why
    return ElementTree(suite)
