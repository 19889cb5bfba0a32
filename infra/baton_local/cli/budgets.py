"""`baton budgets`: what keys have spent in their present periods, and the limits that people set, over the API."""

from pathlib import Path
from typing import Any

import click

from baton.client.requests import in_path
from baton_local.cli.deployment import Deployment, deployment, naming_deployment, with_deployment
from baton_local.cli.job_events import plain
from baton_local.cli.jobs import as_json, print_json

_PATH = "/api/admin/budgets"


@click.group(invoke_without_command=True, subcommand_metavar="")
@naming_deployment
@as_json
@click.pass_context
def budgets(context: click.Context, *, url: str | None, key: str | None, data: Path, shows_json: bool) -> None:
    """List budgets, those last used first; needs an admin key."""
    if context.invoked_subcommand is not None:
        return
    found = deployment(url, key, data).all(_PATH, "budgets")
    if shows_json:
        print_json({"budgets": found})
    elif not found:
        print("no call has had a budget yet")
    else:
        for one in found:
            _print(one)


@budgets.command("set")
@with_deployment
@click.argument("budget", metavar="KEY")
@click.option("--per", required=True, type=click.Choice(("day", "month", "total")))
@click.option("--limit", required=True, type=click.FloatRange(min=0), help="US dollars or tokens; 0 stops every call.")
@click.option("--unit", type=click.Choice(("usd", "tokens")), help="Needed where the key has budgets in both.")
@click.option("--every", is_flag=True, help="For every period, not for the present one alone.")
def set_limit(deployment: Deployment, budget: str, *, per: str, limit: float, unit: str | None, every: bool) -> None:
    """Set a limit. Calls that wait and have room begin within seconds."""
    body: dict[str, Any] = {"per": per, "limit": limit, "period": "every" if every else "present"}
    body |= {"unit": unit} if unit else {}
    _print(deployment.request("PUT", f"{_PATH}/{in_path(budget)}", body))


def _print(one: dict[str, Any]) -> None:
    """Print two lines, so that keys stay whole in every terminal and pipe."""
    names = ("spent", "limit", "reserved", "left")
    form = ".6f" if one["unit"] == "usd" else ".1f"
    spent, limit, reserved, left = (f"{one[name]:{form}}".rstrip("0").rstrip(".") for name in names)
    waits = f", {one['waiting']} wait" if one["waiting"] else ""
    print(f"{plain(one['key'])}  per {one['per']}: {one['period']}")
    print(f"    {spent} of {limit} {one['unit']} spent, {reserved} reserved, {left} left{waits}")
