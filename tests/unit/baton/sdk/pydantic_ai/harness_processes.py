"""Agents whose capabilities of the harness start processes or tasks, or are refused; as those of `harness_agents`."""
# pyright: reportMissingImports=false
# As for mypy: the harness is installed in an environment of its own.

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pydantic_ai_harness as harness
from pydantic_ai import RunContext
from pydantic_ai.models.test import TestModel
from pydantic_ai_harness.dynamic_workflow import WorkflowAgent

from tests.unit.baton.sdk.pydantic_ai.harness_agents import (
    DELEGATES,
    Make,
    agent_with,
    allowed,
    does,
    does_in_folder,
    helper,
    looks,
    says,
)
from tests.unit.baton.sdk.pydantic_ai.played import call


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


AGENTS: Mapping[str, Make] = {
    "shell_persist_cwd": does_in_folder(
        lambda: harness.Shell(persist_cwd=True),
        [call("run_command", command="mkdir -p d && cd d")],
        [call("run_command", command="basename $PWD")],
    ),
    "shell": does_in_folder(
        harness.Shell, [call("run_command", command="cat a.txt")], [call("run_command", command="echo b > b.txt")]
    ),
    "code_mode_with_store": lambda folder, _: agent_with(
        harness.CodeMode(repl_store=Repl(folder.parent / "repl")),
        turns=([call("run_code", code="x = await look(n=1)")], [call("run_code", code="x")], "done"),
    ),
    "dynamic_workflow": does(
        lambda: harness.DynamicWorkflow(agents=[WorkflowAgent(helper())], max_agent_calls=2),
        *([call("run_workflow", number, code="await helper(task='help')")] for number in "123"),
    ),
    "smart_search": does_in_folder(
        lambda: harness.SmartSearch(TestModel()), [call("smart_search", query="who is kind?")]
    ),
    "researcher": does_in_folder(
        lambda: harness.Researcher(subagents=[harness.SubAgent(helper())]),
        [*DELEGATES, call("look", n=1)],
        [call("look", n=2)],
    ),
    "background_tools": looks(lambda: harness.BackgroundTools(tools=["look"])),
    "input_guardrail_parallel": lambda _, happened: agent_with(
        harness.InputGuardrail(guard=allowed(happened), parallel=True)
    ),
    "trajectory_judge": looks(lambda: harness.TrajectoryJudge(model=says("fine"), every=1, instructions="x")),
}
