"""Wherever the code of a library's agent fails, log and records have the file, the line and the traceback."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_ai import Agent, ModelRetry, RunContext
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
PLACES: dict[str, Made] = {}


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


def place(name: str) -> Callable[[Made], Made]:
    def note(make: Made) -> Made:
        PLACES[name] = make
        return make

    return note


def agent(**more: Any) -> Agent[Any, Any]:
    return Agent(more.pop("model", TestModel()), name="odd", **more)


def with_tool(function: Callable[..., Any], **more: Any) -> Any:
    made = agent()
    made.tool_plain(function, **more)
    return durable(made)


@place("tool")
def _tool() -> Any:
    def boom() -> str:
        return str(fails())

    return with_tool(boom)


@place("tool that waits")
def _async_tool() -> Any:
    async def boom() -> str:
        await asyncio.sleep(0)
        return str(fails())

    return with_tool(boom)


@place("tool that gives up")
def _retries() -> Any:
    def boom() -> str:
        try:
            return str(fails())
        except KeyError as error:
            raise ModelRetry("again") from error

    return with_tool(boom, retries=0)


@place("tool that exits")
def _exit() -> Any:
    def boom() -> str:
        try:
            return str(fails())
        except KeyError as error:
            raise SystemExit(3) from error

    return with_tool(boom)


@place("tool whose error has a cause")
def _cause() -> Any:
    def boom() -> str:
        try:
            return str(fails())
        except KeyError as error:
            raise ToolError("no") from error

    return with_tool(boom)


@place("tool with a group of errors")
def _group() -> Any:
    def boom() -> str:
        try:
            return str(fails())
        except KeyError as error:
            raise ExceptionGroup("two", [error, ValueError("other")]) from None

    return with_tool(boom)


@place("tool's list")
def _prepare() -> Any:
    made = agent()

    async def prepare(_ctx: RunContext[Any], tool: Any) -> Any:
        return fails(tool)

    made.tool_plain(prepare=prepare)(listed)
    return durable(made)


@place("prompt")
def _prompt() -> Any:
    return durable(agent(), prompt=fails)


@place("deps")
def _deps() -> Any:
    return durable(agent(), deps=fails)


@place("instructions")
def _instructions() -> Any:
    made = agent()
    made.instructions(says)
    return durable(made)


@place("system prompt")
def _system() -> Any:
    made = agent()
    made.system_prompt(says)
    return durable(made)


@place("output validator")
def _validator() -> Any:
    made = agent()
    made.output_validator(says)
    return durable(made)


@place("output function")
def _output() -> Any:
    def finish(text: str) -> str:
        return str(fails(text))

    return durable(agent(output_type=finish))


@place("validator of a field")
def _field() -> Any:
    class Out(BaseModel):
        a: int

        def model_post_init(self, _: Any) -> None:
            fails()

    return durable(agent(output_type=Out))


@place("model")
def _model() -> Any:
    def answer(_messages: list[ModelMessage], _info: AgentInfo) -> ModelResponse:
        return ModelResponse([TextPart(str(fails()))])

    return durable(agent(model=FunctionModel(answer)))


@place("stream of a model")
def _stream() -> Any:
    async def stream(_messages: list[ModelMessage], _info: AgentInfo) -> AsyncIterator[str | DeltaToolCalls]:
        yield "a"
        yield str(fails())

    return durable(agent(model=FunctionModel(stream_function=stream)))


class Toolset(FunctionToolset[Any]):
    """Fails where it lists its tools, or runs one."""

    def __init__(self, where: str) -> None:
        super().__init__([listed])
        self._where = where

    async def get_tools(self, ctx: RunContext[Any]) -> Any:
        return fails() if self._where == "list" else await super().get_tools(ctx)

    async def call_tool(self, name: str, tool_args: dict[str, Any], ctx: RunContext[Any], tool: Any) -> Any:
        return fails() if self._where == "call" else await super().call_tool(name, tool_args, ctx, tool)


@place("toolset's list")
def _toolset() -> Any:
    return durable(agent(toolsets=[Toolset("list")]))


@place("toolset's call")
def _toolset_call() -> Any:
    return durable(agent(toolsets=[Toolset("call")]))


@place("function that makes a toolset")
def _dynamic() -> Any:
    made = agent()
    made.toolset(lists)
    return durable(made)


HOOKS = (
    "before_run",
    "after_run",
    "before_node_run",
    "before_model_request",
    "after_model_request",
    "before_tool_validate",
    "before_tool_execute",
    "after_tool_execute",
)


def hooked(name: str) -> Made:
    async def hook(_self: Any, *args: Any, **named: Any) -> Any:
        return fails(*args, **named)

    kind = type("Hooked", (AbstractCapability,), {name: hook})
    return lambda: with_hook(kind())


def with_hook(capability: AbstractCapability[Any]) -> Any:
    made = agent(capabilities=[capability])
    made.tool_plain(listed)
    return durable(made)


PLACES |= {f"hook {name}": hooked(name) for name in HOOKS}
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
