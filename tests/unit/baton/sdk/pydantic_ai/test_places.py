"""Wherever the code of a library's agent fails, log and records have the file, the line and the traceback."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_ai import Agent, ModelRetry, RunContext, Tool
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart
from pydantic_ai.models.function import AgentInfo, DeltaToolCalls, FunctionModel
from pydantic_ai.models.test import TestModel
from pydantic_ai.toolsets import AbstractToolset, FunctionToolset

from baton import ToolError
from baton.observability.logs import guard_logs
from baton.pydantic_ai import durable
from baton.sdk.records.redaction import KnownSecrets
from baton.sdk.tools.contained import has_place, traceback_of
from tests.unit.baton.sdk.pydantic_ai.played import played

Made = Callable[[], Any]


def fails(*_: Any, **__: Any) -> Any:
    """Fail, as code of a user does: in a function of its own."""
    return dict[str, Any]()["place"]


def says(ctx: RunContext[Any]) -> str:
    return str(fails(ctx))


def lists(ctx: RunContext[Any]) -> AbstractToolset[Any]:
    made: AbstractToolset[Any] = fails(ctx)
    return made


def listed() -> str:
    return "a"


def finish(text: str) -> str:
    return str(fails(text))


async def prepare(_ctx: RunContext[Any], tool: Any) -> Any:
    return fails(tool)


def agent(*tools: Any, **more: Any) -> Agent[Any, Any]:
    return Agent(more.pop("model", TestModel()), name="odd", tools=tools, **more)


def boom() -> str:
    return str(fails())


async def boom_later() -> str:
    await asyncio.sleep(0)
    return str(fails())


def boom_as(other: BaseException, **more: Any) -> Any:
    """A tool that raises another error from the one of its own."""

    def boom() -> str:
        try:
            return str(fails())
        except KeyError as error:
            raise other from error

    return durable(agent(Tool(boom, **more)))


def boom_in_a_group() -> str:
    try:
        return str(fails())
    except KeyError as error:
        raise ExceptionGroup("two", [error, ValueError("other")]) from None


class Out(BaseModel):
    a: int

    def model_post_init(self, _: Any) -> None:
        fails()


def answer(_messages: list[ModelMessage], _info: AgentInfo) -> ModelResponse:
    return ModelResponse([TextPart(str(fails()))])


async def stream(_messages: list[ModelMessage], _info: AgentInfo) -> AsyncIterator[str | DeltaToolCalls]:
    yield "a"
    yield str(fails())


class Toolset(FunctionToolset[Any]):
    """Fails where it lists its tools, or runs one."""

    def __init__(self, where: str) -> None:
        super().__init__([listed])
        self._where = where

    async def get_tools(self, ctx: RunContext[Any]) -> Any:
        return fails() if self._where == "list" else await super().get_tools(ctx)

    async def call_tool(self, name: str, tool_args: dict[str, Any], ctx: RunContext[Any], tool: Any) -> Any:
        return fails() if self._where == "call" else await super().call_tool(name, tool_args, ctx, tool)


def told(method: str, function: Any) -> Any:
    """An agent that is told of a function after it is made."""
    made = agent()
    getattr(made, method)(function)
    return durable(made)


HOOKS = (
    *("before_run", "after_run", "before_node_run", "before_model_request", "after_model_request"),
    *("before_tool_validate", "before_tool_execute", "after_tool_execute"),
)


def hooked(name: str) -> Made:
    async def hook(_self: Any, *args: Any, **named: Any) -> Any:
        return fails(*args, **named)

    kind: Any = type("Hooked", (AbstractCapability,), {name: hook})
    return lambda: durable(agent(listed, capabilities=[kind()]))


PLACES: dict[str, Made] = {
    "tool": lambda: durable(agent(boom)),
    "tool that waits": lambda: durable(agent(boom_later)),
    "tool that gives up": lambda: boom_as(ModelRetry("again"), max_retries=0),
    "tool that exits": lambda: boom_as(SystemExit(3)),
    "tool whose error has a cause": lambda: boom_as(ToolError("no")),
    "tool with a group of errors": lambda: durable(agent(boom_in_a_group)),
    "tool's list": lambda: durable(agent(Tool(listed, prepare=prepare))),
    "prompt": lambda: durable(agent(), prompt=fails),
    "deps": lambda: durable(agent(), deps=fails),
    "instructions": lambda: told("instructions", says),
    "system prompt": lambda: told("system_prompt", says),
    "output validator": lambda: told("output_validator", says),
    "output function": lambda: durable(agent(output_type=finish)),
    "validator of a field": lambda: durable(agent(output_type=Out)),
    "model": lambda: durable(agent(model=FunctionModel(answer))),
    "stream of a model": lambda: durable(agent(model=FunctionModel(stream_function=stream))),
    "toolset's list": lambda: durable(agent(toolsets=[Toolset("list")])),
    "toolset's call": lambda: durable(agent(toolsets=[Toolset("call")])),
    "function that makes a toolset": lambda: told("toolset", lists),
    **{f"hook {name}": hooked(name) for name in HOOKS},
}
LINE = fails.__code__.co_firstlineno + 2
SHOWN = re.compile(rf'test_places\.py", line {LINE}, in fails')


@pytest.mark.parametrize("name", PLACES)
async def test_the_place_of_a_failure_is_in_log_and_records(name: str, caplog: pytest.LogCaptureFixture) -> None:
    ended = await played(PLACES[name]())
    failures = (ended.job.error, *(call.error for call in ended.calls))
    traces = [failure.traceback for failure in failures if failure]
    assert any(SHOWN.search(trace) for trace in traces), traces
    # A `ToolError` is what the tool has to say: it is recorded, and no failure for the log.
    assert SHOWN.search(caplog.text) or name == "tool whose error has a cause"
    first = next(trace for trace in traces if SHOWN.search(trace))
    assert len(first) < 4_000
    assert not re.search(r"baton/(worker|engine)", first.partition("test_places.py")[0])


def test_a_traceback_begins_at_the_users_code_in_each_cause() -> None:
    """So does that of each member of a group; an error of a library alone has all of its frames, and no place."""

    def chained() -> None:
        try:
            fails()
        except KeyError as error:
            raise ExceptionGroup("two", [ValueError("a"), error]) from error

    with pytest.raises(ExceptionGroup) as raised:
        chained()
    assert len(SHOWN.findall(traceback_of(raised.value))) == 2
    assert has_place(raised.value)
    with pytest.raises(ValidationError) as of_library:
        TypeAdapter(int).validate_python("x")
    of_library.value.__traceback__ = None
    assert not has_place(of_library.value)
    with pytest.raises(URLError) as of_python:
        urlopen("http://127.0.0.1:1")
    cause, _, own = traceback_of(of_python.value).partition("During handling")
    assert (cause.count("  File "), __file__ in own.split("  File ")[1]) == (1, True)


@pytest.mark.parametrize("name", ["prompt", "model", "tool", "output validator"])
async def test_a_log_without_texts_has_the_place(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """While payloads are sealed no text of an error is written, but its class, its file and its line."""
    guard_logs(KnownSecrets(()), sealed=True)
    try:
        await played(PLACES[name]())
    finally:
        guard_logs(KnownSecrets(()))
    assert f"KeyError at {__file__}:{LINE}" in caplog.text
    assert "in fails" not in caplog.text
