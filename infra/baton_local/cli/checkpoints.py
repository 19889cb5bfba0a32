"""`baton checkpoints`: what waits for a person, and their decisions, over the API."""

from typing import Any

import click

from baton.client.requests import in_path
from baton_local.cli.deployment import Deployment, with_deployment
from baton_local.cli.job_events import compact, plain
from baton_local.cli.jobs import as_json, object_in, print_json

STATUSES = ("pending", "approved", "rejected", "expired", "cancelled")


@click.group()
def checkpoints() -> None:
    """See what waits for a decision, and decide it."""


@checkpoints.command("list")
@with_deployment
@click.option("--job", "job_id", metavar="JOB", help="All checkpoints of this job, infos too.")
@click.option("--status", type=click.Choice(STATUSES), default="pending", show_default=True)
@as_json
def list_checkpoints(deployment: Deployment, *, job_id: str | None, status: str, shows_json: bool) -> None:
    """List the open approvals of all jobs; needs an admin key."""
    if job_id:
        found = deployment.get(f"/api/agent-jobs/{in_path(job_id)}/checkpoints")["checkpoints"]
    else:
        found = deployment.all("/api/admin/agent-checkpoints", "checkpoints", status=status)
    if shows_json:
        print_json(found)
    elif not found:
        print("no such checkpoints")
    else:
        _print(found)


@checkpoints.command()
@with_deployment
@click.argument("checkpoint_id", metavar="CHECKPOINT")
@click.option("--arguments", metavar="JSON|@FILE", help="Run the tool with these arguments instead.")
@click.option("--comment", default="", help="Kept with the decision.")
def approve(deployment: Deployment, checkpoint_id: str, *, arguments: str | None, comment: str) -> None:
    """Approve: the job continues."""
    body: dict[str, Any] = {"comment": comment} if comment else {}
    if arguments is not None:
        body["arguments"] = object_in(arguments, "--arguments")
    _decide(deployment, "POST", checkpoint_id, body)


@checkpoints.command()
@with_deployment
@click.argument("checkpoint_id", metavar="CHECKPOINT")
@click.option("--reason", default="", help="Why; the model reads it.")
def reject(deployment: Deployment, checkpoint_id: str, *, reason: str) -> None:
    """Reject, as a rule with a reason, which the model reads."""
    _decide(deployment, "DELETE", checkpoint_id, {"reason": reason})


@checkpoints.command()
@with_deployment
@click.argument("checkpoint_id", metavar="CHECKPOINT")
@click.option("--name", default="", help="A person's name, for the decision.")
@click.option("--hours", type=click.IntRange(1, 720), default=168, show_default=True, help="For how long it is good.")
@click.option(
    "--may",
    type=click.Choice(("approve", "reject")),
    multiple=True,
    help="The one decision that it allows; otherwise both.",
)
@click.option("--edit", is_flag=True, help="The arguments may be edited.")
def link(
    deployment: Deployment, checkpoint_id: str, *, name: str, hours: int, may: tuple[str, ...], edit: bool
) -> None:
    """Make a link by which a person without a key decides, once."""
    body: dict[str, Any] = {"name": name, "expiresInSeconds": hours * 3600, "edit": edit}
    body |= {"may": list(may)} if may else {}
    print(deployment.request("POST", f"/api/admin/agent-checkpoints/{in_path(checkpoint_id)}/links", body)["url"])


def _decide(deployment: Deployment, method: str, checkpoint_id: str, body: dict[str, Any]) -> None:
    decided = deployment.request(method, f"/api/admin/agent-checkpoints/{in_path(checkpoint_id)}", body)
    print(f"{decided['id']}  {decided['status']}")


def _print(found: list[dict[str, Any]]) -> None:
    """Print two lines for each, so that ids, tools and arguments stay whole in every terminal and pipe."""
    for one in found:
        arguments = plain(compact(one["arguments"])) if one.get("arguments") else ""
        print(f"{one.get('id') or ''}  {one['status']}")
        print(f"    {plain(one['title'])}  {arguments}".rstrip())
