"""The presets of pydantic-ai's harness, in a process that kills itself around commits of their jobs."""
# pyright: reportMissingImports=false
# As for mypy: the harness is installed in an environment of its own.

import os
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pydantic_ai_harness as harness
from pydantic_ai import Agent
from pydantic_ai.capabilities import LocalWorkspace
from pydantic_ai.messages import ModelMessage
from pydantic_ai.models.function import AgentInfo, FunctionModel

from baton import Registry
from baton.pydantic_ai import durable
from baton.worker.entry import LazyApp
from tests.e2e.dying_store import build_dying
from tests.unit.baton.sdk.pydantic_ai.documented_hooks import streamed
from tests.unit.baton.sdk.pydantic_ai.harness_processes import researcher
from tests.unit.baton.sdk.pydantic_ai.played import call

MOMENTS = ("before", "after")
_HELP = "Say what the file says."


def coder(folder: Path) -> Agent[Any, Any]:
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


def presets_in(folder: Path) -> dict[str, Agent[Any, Any]]:
    """Each preset once for each moment at which its process dies, in a folder of its own."""
    made: dict[str, Callable[[Path], Agent[Any, Any]]] = {
        "coder": coder,
        "researcher": lambda place: researcher(place, Counter()),
    }
    return {f"{name}_{moment}": make(folder / f"{name}_{moment}") for name, make in made.items() for moment in MOMENTS}


folder = Path(os.environ.get("NOTES", "."))  # noqa: TID251 - the test says where
registry = Registry(agents=[durable(agent, name=name) for name, agent in presets_in(folder).items()])
app = LazyApp(build_dying)
