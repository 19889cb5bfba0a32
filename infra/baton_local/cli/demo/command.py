"""`baton demo [NAME]`: starts a stack in a temporary folder, shows an agent's jobs live, and ends everything.

To add a demo, name an agent of a registry and tasks that show it well. Invariant: the first line is on the screen
before the stack begins; nothing that was started outlives the command.
"""

import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console

from baton.sdk.distribution import missing_extra
from baton_local.cli.demo.story import Scenario, Story, Task
from baton_local.cli.interruption import Interruption, run_until_interrupted
from baton_local.dev.parts import QueueKind, StackOptions
from baton_local.dev.stack import LocalStack
from baton_local.dev.stack_error import StackError

SCENARIOS = {
    "research": Scenario(
        "research",
        "answers a question from the sample library, with its sources",
        (Task("How did the Fresnel lens change lighthouses, and what was used before it?"),),
    ),
    "report": Scenario(
        "report",
        "follows a fixed plan without a model; steps run side by side",
        (Task("Report on the first two texts of the library."),),
    ),
    "planner": Scenario(
        "planner",
        "makes a plan, is corrected, carries it out, reflects on it",
        (Task("Report on what the library says about Fresnel."),),
        5,
    ),
    "supervisor": Scenario(
        "supervisor",
        "shares a question between two agents, each a job of its own",
        (Task("Who was Grace Darling? How did the sun valve light lamps without keepers?"),),
    ),
    "assistant": Scenario(
        "assistant",
        "learns something, and knows it in later jobs and conversations",
        (
            Task("Remember that Ann Ward cleaned the lens on Gull Rock on 3 May.", "monday"),
            Task("Who cleaned the lens?", "monday"),
            Task("When was the lens on Gull Rock cleaned?", "tuesday"),
        ),
        2,
    ),
    "simple-task": Scenario(
        "simple-task", "does a simple task, with a checkpoint that blocks nothing", (Task("Trim the wick."),), 2
    ),
    "code-generation": Scenario(
        "code-generation",
        "drafts a file, and writes it once somebody has approved it",
        (Task("Generate a greeting.", data={"files": [{"path": "hello.py", "content": 'print("hello")\n'}]}),),
    ),
    "data-processing": Scenario(
        "data-processing",
        "cleans and sums up rows, with a checkpoint after each step",
        (Task("Sum up the log.", data={"rows": [{"oil": 3.5}, {"oil": 4.0}, {}]}),),
    ),
    "pydantic": Scenario(
        "trip-planner",
        "an agent of pydantic-ai: parallel calls, approval, typed output",
        (Task("Plan a trip to Ulm."),),
        1,
        "baton_local.cli.demo.trip_planner:registry",
        "models",
    ),
    "openai": Scenario(
        "shop",
        "agents of OpenAI's SDK: parallel calls, a handoff, approval",
        (Task("Buy a lamp and a lens."),),
        app="baton_local.cli.demo.shop:registry",
        needs="openai-agents",
    ),
    "workflow": Scenario(
        "fulfil",
        "plain Python as a durable job: parallel steps, approval, a wait",
        (Task("", data={"items": ["lamp", "lens"], "euros": 330}),),
        app="baton_local.cli.demo.order:registry",
    ),
    "simple": Scenario(
        "simple", "uses a few tools; what it does is scripted", (Task("List the library, search it, count two files."),)
    ),
}
# A killed process leaves its claim on a work item behind, which ends with the time limit of its work. The defaults (two
# minutes; queue retries after ten seconds) suit real models; with these the demo shows the same within seconds.
_SETTINGS_WITH_FAULT = {"WORK_TIMEOUT_SECONDS": "1", "MESSAGE_RETRY_DELAY_MS": "1000"}


@click.command()
@click.argument("name", default="research")
@click.option("--fault", type=click.Choice(["kill"]), help="kill: end the app with -9 in the middle of the job.")
@click.option("--list", "lists", is_flag=True, help="List the sample agents.")
@click.option(
    "--queue",
    type=click.Choice(["qstash", "redis"]),
    default="qstash",
    show_default=True,
    help="The queue: a local QStash, or the store's Redis (extra `redis`).",
)
@click.option("--app", metavar="MODULE:ATTR", help="Your own agents' registry, imported from the current folder.")
@click.option("--task", default="Do it.", show_default=True, help="With --app: the task of your agent's job.")
def demo(name: str, fault: str | None, queue: QueueKind, app: str | None, task: str, *, lists: bool) -> None:
    """Show real jobs of an agent live, on a stack of their own.

    NAME is a sample agent; the default is research, and --list says what each has to show. With --app it is one of
    yours.
    """
    if lists:
        for known, each in SCENARIOS.items():
            click.echo(f"{known:<{max(map(len, SCENARIOS))}}  {each.about}")
        return
    if app is None and name not in SCENARIOS:
        raise click.UsageError(f"there is no demo {name!r}; there are {', '.join(SCENARIOS)} (--list describes them)")
    scenario = Scenario(name, "", (Task(task),)) if app else SCENARIOS[name]
    if scenario.needs and (missing := missing_extra(scenario.needs, name)):
        raise click.UsageError(missing)
    if queue == "redis" and (missing := missing_extra("redis", "--queue redis")):
        raise click.UsageError(missing)
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr] # a text file, unless a test replaced it
    story = Story(scenario, Console())
    story.show(f"Baton: {name}, live, on a local stack of its own", "bold")
    # Whatever agents of their own somebody has named, a sample is of its own registry.
    settings = {} if app else {"BATON_APP": scenario.app}
    settings |= _SETTINGS_WITH_FAULT if fault else {}

    async def run(interruption: Interruption) -> int:
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="baton-demo-", ignore_cleanup_errors=True) as folder:
            options = StackOptions(folder=Path(folder), app=app, port=0, registers=False, settings=settings)
            if queue == "redis":
                options = replace(options, queue=queue, store="resp")
            stack = LocalStack(options, story)
            interruption.at_once = stack.kill
            story.show("Starting queue, Redis and app, each a process of its own ...")
            try:
                async with stack.running() as description:
                    story.show(f"Ready in {time.monotonic() - started:.1f} s", "dim")
                    story.show("")
                    app_process = (lambda: stack.description().processes.get("app")) if fault else None
                    return await stack.unless_broken(story.play(description, app_process))
            except StackError:
                story.show_last_log_lines()
                raise

    sys.exit(run_until_interrupted(run, lambda: story.show("stopping", "dim"), code_when_interrupted=1))
