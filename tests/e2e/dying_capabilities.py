"""Agents with capabilities of pydantic-ai's harness, whose process dies at some moments."""
# pyright: reportMissingImports=false
# As for mypy: the harness is installed in an environment of its own.

from collections import Counter
from collections.abc import AsyncIterator, Callable
from itertools import product
from pathlib import Path
from typing import Any

import pydantic_ai_harness as harness
from pydantic_ai import Agent
from pydantic_ai.capabilities import LocalWorkspace
from pydantic_ai.messages import ModelMessage
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai_harness.memory import SqliteMemoryStore

from tests.unit.baton.sdk.pydantic_ai import harness_agents as agents
from tests.unit.baton.sdk.pydantic_ai import harness_processes as processes
from tests.unit.baton.sdk.pydantic_ai.capable_agents import Happened
from tests.unit.baton.sdk.pydantic_ai.documented_hooks import streamed
from tests.unit.baton.sdk.pydantic_ai.harness_cases import WHOLE, WITH_PROCESSES
from tests.unit.baton.sdk.pydantic_ai.played import call

MOMENTS = ("before", "after")
_HELP = "Say what the file says."


def coder(folder: Path, _: Happened) -> Agent[Any, Any]:
    """It reads files, writes one, runs a command, and hands a part of its work to a run of itself."""
    main = streamed(
        [call("read_file", path="a.txt"), call("list_files")],
        [call("write_file", path="new.txt", content="new\n")],
        [call("shell", command="cat a.txt new.txt > both.txt; cat both.txt")],
        [call("grep", pattern="new", path="new.txt"), call("delegate_task", agent_name="self", task=_HELP)],
        "done",
    )
    helper = streamed("It says a.")

    def model_of(messages: list[ModelMessage]) -> Any:
        return helper if _HELP in str(messages[0]) else main

    def answer(messages: list[ModelMessage], info: AgentInfo) -> Any:
        return model_of(messages).function(messages, info)

    async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
        async for part in model_of(messages).stream_function(messages, info):
            yield part

    model = FunctionModel(answer, stream_function=stream)
    return Agent(model, name="coder", capabilities=[LocalWorkspace(folder), harness.Coder()])


def remembers(folder: Path, _: Happened) -> Agent[Any, Any]:
    """What it remembers outlives its process."""
    return agents.remembering(folder, SqliteMemoryStore(database=folder.parent / f"{folder.name}.sqlite"))


# Those of the guide's table; more work for a preset; a store for what other tests keep in their process.
MADE: dict[str, Callable[[Path, Happened], Agent[Any, Any]]] = {
    name: {**agents.AGENTS, **processes.AGENTS}[name]
    for row in (WHOLE, WITH_PROCESSES)
    for name in row.capabilities.values()
} | {"coder": coder, "memory": remembers}


def agents_in(folder: Path) -> dict[tuple[str, str], Agent[Any, Any]]:
    """Each once for each moment at which its process dies, in a folder of its own."""
    return {
        (name, moment): MADE[name](folder / f"{name}_{moment}", Counter()) for name, moment in product(MADE, MOMENTS)
    }
