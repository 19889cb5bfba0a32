"""`baton score`: what somebody thinks of a job, kept with it."""

import re
from typing import Any

import click

from baton.client.requests import in_path
from baton_local.cli.deployment import Deployment, with_deployment

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")
_NAME_CHARS, _COMMENT_CHARS = 64, 2_000


class _Value(click.ParamType[bool | float]):
    """A number, `true` or `false`."""

    name = "value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bool | float:
        """Read it."""
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
    """Keep a score with its job.

    Raises:
        StackError: a refusal.
    """
    body = {"name": name, "value": value, "comment": comment}
    deployment.request("POST", f"/api/agent-jobs/{in_path(job_id)}/scores", body)


def score_name(text: str) -> str:
    """Return a text as the name of a score."""
    return _NOT_IN_NAMES.sub("-", text)[:_NAME_CHARS] or "-"


def score_comment(text: str) -> str:
    """Return a text as the comment of a score."""
    return text[:_COMMENT_CHARS]
