"""Agents whose capabilities of the harness start processes or tasks, or are refused; as those of `harness_agents`."""
# pyright: reportMissingImports=false
# As for mypy: the harness is installed in an environment of its own.

from pathlib import Path
from typing import Any

import pydantic_ai_harness as harness
from pydantic_ai import Agent, RunContext
from pydantic_ai.models.test import TestModel
from pydantic_ai_harness.dynamic_workflow import WorkflowAgent

from tests.unit.baton.sdk.pydantic_ai.capable_agents import Happened
from tests.unit.baton.sdk.pydantic_ai.harness_agents import Made, agent_with, allowed, in_folder, says
from tests.unit.baton.sdk.pydantic_ai.played import call


def shell_persist_cwd(folder: Path, _: Happened) -> Made:
    turns = (
        [call("run_command", command="mkdir -p d && cd d")],
        [call("run_command", command="basename $PWD")],
        "done",
    )
    return in_folder(folder, harness.Shell(persist_cwd=True), turns=turns)


def shell(folder: Path, _: Happened) -> Made:
    turns = ([call("run_command", command="cat a.txt")], [call("run_command", command="echo b > b.txt")], "done")
    return in_folder(folder, harness.Shell(), turns=turns)


class Repl:
    """Keeps what scripts have left in a folder, for the runs that go on with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def load(self, ctx: RunContext[Any]) -> bytes | None:
        kept = self.folder / str(ctx.run_id)
        return kept.read_bytes() if kept.exists() else None

    async def save(self, ctx: RunContext[Any], state: bytes | None) -> None:
        self.folder.mkdir(exist_ok=True)
        if state is not None:
            (self.folder / str(ctx.run_id)).write_bytes(state)


def code_mode_with_store(folder: Path, _: Happened) -> Made:
    turns = ([call("run_code", code="x = await look(n=1)")], [call("run_code", code="x")], "done")
    return agent_with(harness.CodeMode(repl_store=Repl(folder.parent / "repl")), turns=turns)


def dynamic_workflow(_: Path, __: Happened) -> Made:
    helper = Agent(says("helped"), name="helper", description="Helps.")
    workflow = harness.DynamicWorkflow(agents=[WorkflowAgent(helper)], max_agent_calls=2)
    turns = (
        [call("run_workflow", "1", code="await helper(task='help')")],
        [call("run_workflow", "2", code="await helper(task='help')")],
        [call("run_workflow", "3", code="await helper(task='help')")],
        "done",
    )
    return agent_with(workflow, turns=turns)


def smart_search(folder: Path, _: Happened) -> Made:
    search = harness.SmartSearch(TestModel())
    return in_folder(folder, search, turns=([call("smart_search", query="who is kind?")], "done"))


def researcher(folder: Path, _: Happened) -> Made:
    turns = ([call("delegate_task", agent_name="helper", task="help"), call("look", n=1)], [call("look", n=2)], "done")
    helper = Agent(says("helped"), name="helper", description="Helps.")
    return in_folder(folder, harness.Researcher(subagents=[harness.SubAgent(helper)]), turns=turns)


def background_tools(_: Path, __: Happened) -> Made:
    return agent_with(harness.BackgroundTools(tools=["look"]))


def input_guardrail_parallel(_: Path, happened: Happened) -> Made:
    return agent_with(harness.InputGuardrail(guard=allowed(happened), parallel=True))


def trajectory_judge(_: Path, __: Happened) -> Made:
    return agent_with(harness.TrajectoryJudge(model=says("fine"), every=1, instructions="x"))
