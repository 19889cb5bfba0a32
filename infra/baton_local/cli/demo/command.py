"""`baton demo [NAME]`: starts a stack in a temporary folder, shows an agent's jobs live, and ends everything.

Invariant: the first line is on the screen before anything slow begins; nothing that was started outlives the command.
"""

import asyncio
import importlib
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console

from baton.sdk.distribution import missing_extra
from baton_local.cli.demo.scenario import SCENARIOS, SETTINGS_WITH_FAULT, KillApp, Scenario, Task
from baton_local.cli.demo.view import DemoView
from baton_local.cli.interruption import Interruption, run_until_interrupted
from baton_local.dev.stack import LocalStack, StackOptions
from baton_local.dev.stack_error import StackError

IMPORT_AFTER_SECONDS = 0.15


@click.command()
@click.argument("name", default="research")
@click.option("--fault", type=click.Choice(["kill"]), help="kill: end the app with -9 in the middle of the job.")
@click.option("--list", "lists", is_flag=True, help="List the sample agents.")
@click.option("--app", metavar="MODULE:ATTR", help="Your own agents' registry, imported from the current folder.")
@click.option("--task", default="Do it.", show_default=True, help="With --app: the task of your agent's job.")
def demo(name: str, fault: str | None, app: str | None, task: str, *, lists: bool) -> None:
    """Show real jobs of an agent live, on a stack of their own.

    NAME is a sample agent; the default is research, and --list says what each has to show. With --app it is one of
    yours.
    """
    if lists:
        for known, scenario in SCENARIOS.items():
            click.echo(f"{known:<{max(map(len, SCENARIOS))}}  {scenario.about}")
        return
    if app is None and name not in SCENARIOS:
        raise click.UsageError(f"there is no demo {name!r}; there are {', '.join(SCENARIOS)} (--list describes them)")
    scenario = Scenario(name, "", (Task(task),)) if app else SCENARIOS[name]
    if scenario.needs and (missing := missing_extra(scenario.needs, name)):
        raise click.UsageError(missing)
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr] # a text file, unless a test replaced it
    view = DemoView(Console())
    view.show(f"Baton: {name}, live, on a local stack of its own", "bold")

    async def run(interruption: Interruption) -> int:
        with tempfile.TemporaryDirectory(prefix="baton-demo-", ignore_cleanup_errors=True) as folder:
            try:
                return await _show(Shown(scenario, app, fault is not None), Path(folder), view, interruption)
            except StackError:
                view.show_last_log_lines()
                raise

    sys.exit(run_until_interrupted(run, lambda: view.show("stopping", "dim"), code_when_interrupted=1))


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown: of the samples, or of somebody's own `app`; `with_fault`: and killed in its middle."""

    scenario: Scenario
    app: str | None
    with_fault: bool


async def _show(shown: Shown, folder: Path, view: DemoView, interruption: Interruption) -> int:
    started = time.monotonic()
    sample = {"BATON_APP": shown.scenario.app}  # whatever agents of their own somebody has named
    settings = {**({} if shown.app else sample), **(SETTINGS_WITH_FAULT if shown.with_fault else {})}
    options = StackOptions(folder=folder, app=shown.app, port=0, registers=False, settings=settings)
    stack = LocalStack(options, view)
    interruption.at_once = stack.kill
    view.show("Starting queue, Redis and app, each a process of its own ...")
    importing = asyncio.create_task(_import_meanwhile())
    async with stack.running() as description:
        await importing
        view.show(f"Ready in {time.monotonic() - started:.1f} s", "dim")
        view.show("")
        from baton_local.cli.demo.story import Story  # noqa: PLC0415 - already imported, see below

        kill = _kill(stack, shown.scenario) if shown.with_fault else None
        return await stack.unless_broken(Story(shown.scenario, description, view, kill).play())


def _kill(stack: LocalStack, scenario: Scenario) -> KillApp:
    return KillApp(lambda: stack.description().processes.get("app"), scenario.fault_after_events)


async def _import_meanwhile() -> None:
    """Import the HTTP client while the parts start: it takes as long as they do."""
    await asyncio.sleep(IMPORT_AFTER_SECONDS)
    importlib.import_module("baton_local.cli.demo.story")
