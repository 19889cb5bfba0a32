"""Agents with the hooks that pydantic-ai documents, and capabilities of one's own: what they do is counted."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic_ai import Agent, AgentStreamEvent, ModelRetry, RunContext, ToolFailed
from pydantic_ai.capabilities import (
    AbstractCapability,
    Capability,
    CapabilityOrdering,
    Hooks,
    ProcessEventStream,
    WrapperCapability,
)
from pydantic_ai.exceptions import SkipModelRequest, SkipToolExecution, SkipToolValidation
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel
from pydantic_ai.run import AgentRunResult
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.toolsets import AbstractToolset, FunctionToolset, WrapperToolset

from tests.unit.baton.sdk.pydantic_ai.documented_agents import FINAL, SUM, Case, Cases, City, add, of, plain
from tests.unit.baton.sdk.pydantic_ai.played import Turn, call, scripted

ADDS: tuple[Turn, ...] = ([SUM, call("add", a=3, b=4)], "3 7")


def hooked(*turns: Turn, tools: Any = (add,), **settings: Any) -> tuple[Case, Hooks[Any]]:
    """A case with hooks, which are still to be told what to do."""
    hooks = Hooks[Any]()
    return of(*(turns or ADDS), tools=tools, capabilities=[hooks], **settings), hooks


def streamed(*turns: Turn) -> FunctionModel:
    """The same script for a run that listens to its own events, and so streams."""

    async def answer(messages: list[ModelMessage], _: AgentInfo) -> AsyncIterator[str | DeltaToolCalls]:
        turn: Any = turns[sum(isinstance(message, ModelResponse) for message in messages)]
        if isinstance(turn, str):
            for word in turn.split(" "):
                yield f"{word} "
            return
        for at, part in enumerate(turn):
            yield {at: DeltaToolCall(part.tool_name, part.args_as_json_str(), tool_call_id=part.tool_call_id)}

    return FunctionModel(scripted(*turns).function, stream_function=answer)  # type: ignore[arg-type]


def _hooks_of_runs_and_requests() -> Case:
    """Given to the constructor; one is not asynchronous."""
    case = Case(Agent("test"))

    async def before_run(ctx: RunContext[Any]) -> None:
        case.note("before_run")

    async def after_run(ctx: RunContext[Any], *, result: AgentRunResult[Any]) -> AgentRunResult[Any]:
        case.note("after_run")
        return replace(result, output=[result.output, ctx.run_step])

    async def run(ctx: RunContext[Any], *, handler: Any) -> Any:
        return await handler()

    async def around(ctx: RunContext[Any], *, request_context: Any, handler: Any) -> Any:
        case.note(f"request {ctx.run_step}")
        return await handler(request_context)

    def before(ctx: RunContext[Any], request_context: Any) -> Any:
        case.note(f"before request with {len(request_context.messages)} messages")
        return request_context

    hooks: Any = Hooks(
        before_run=before_run, after_run=after_run, run=run, before_model_request=before, model_request=around
    )
    case.agent = Agent(scripted(*ADDS), tools=[add], capabilities=[hooks])
    return case


def _hooks_of_calls() -> Case:
    """Of validation, execution and the output, which change what they get."""
    case, hooks = hooked()

    @hooks.on.after_tool_execute
    def after(ctx: RunContext[Any], *, call: ToolCallPart, result: Any, **_: Any) -> Any:
        case.note(f"after {call.tool_call_id}")
        return result * 10

    @hooks.on.tool_execute
    async def around(ctx: RunContext[Any], *, call: ToolCallPart, args: Any, handler: Any, **_: Any) -> Any:
        case.note(f"around {call.tool_call_id}")
        return await handler(args)

    @hooks.on.after_tool_validate
    async def validated(ctx: RunContext[Any], *, args: Any, **_: Any) -> Any:
        case.note("validated")
        return {**args, "b": args["b"] + 1}

    @hooks.on.after_output_process
    async def processed(ctx: RunContext[Any], *, output: Any, **_: Any) -> Any:
        case.note("output")
        return f"{output}!"

    return case


def _hooks_of_outputs() -> Case:
    """Around the validation and the processing of a structure, and where it does not fit."""
    turns = [call(FINAL, "1", name="Ur")], [SUM, call(FINAL, "2", name="U", people=1)]
    case, hooks = hooked(*turns, output_type=City)

    def noting(what: str) -> Any:
        async def hook(ctx: RunContext[Any], *, output: Any, **_: Any) -> Any:
            case.note(what)
            return output

        return hook

    hooks.on.before_output_validate(noting("before validation"))
    hooks.on.after_output_validate(noting("fits"))

    @hooks.on.output_validate_error
    async def misfit(ctx: RunContext[Any], *, error: Any, **_: Any) -> Any:
        case.note("misfit")
        raise error

    @hooks.on.output_process
    async def around(ctx: RunContext[Any], *, output: Any, handler: Any, **_: Any) -> Any:
        case.note("processed")
        return await handler(output)

    return case


def _hooks_of_nodes() -> Case:
    """They see each step of the run's graph."""
    case, hooks = hooked()

    @hooks.on.before_node_run
    async def before(ctx: RunContext[Any], *, node: Any) -> Any:
        case.note(f"before {type(node).__name__} in step {ctx.run_step}")
        return node

    @hooks.on.after_node_run
    async def after(ctx: RunContext[Any], *, result: Any, **_: Any) -> Any:
        case.note(f"then {type(result).__name__}")
        return result

    return case


def _hooks_for_some_tools() -> Case:
    mail = plain("send_email", lambda to: f"sent to {to}")
    turns: tuple[Turn, ...] = ([call("send_email", to="Ann"), SUM], [call("add", "2", a=1, b=2)], "sent")
    case, hooks = hooked(*turns, tools=[add, mail])

    @hooks.on.before_tool_execute(tools=["send_email"])
    async def audit(ctx: RunContext[Any], *, call: Any, args: Any, **_: Any) -> Any:
        case.note(f"audit {call.tool_name}")
        return args

    @hooks.on.prepare_tools
    async def prepare(ctx: RunContext[Any], tool_defs: list[ToolDefinition]) -> list[ToolDefinition]:
        return [one for one in tool_defs if ctx.run_step < 2 or one.name != "add"]

    return case


def _rejected_answer() -> Case:
    """A hook that asks the model for another answer."""
    case, hooks = hooked([SUM], "damn", "dear", retries=2)

    @hooks.on.after_model_request
    async def polite(ctx: RunContext[Any], *, response: ModelResponse, **_: Any) -> ModelResponse:
        if any(isinstance(part, TextPart) and "damn" in part.content for part in response.parts):
            raise ModelRetry("be polite")
        return response

    return case


def read(key: str) -> str:
    if key == "secret":
        raise PermissionError(key)
    if key == "slow":
        raise TimeoutError(key)
    return {"a": "b"}[key]


def _errors_of_tools() -> Case:
    """Hooks that make results of errors: one that the model may correct, one that is final, a value."""
    wrong = [call("read", key=key) for key in ("?", "secret", "slow")]
    case, hooks = hooked(wrong, [call("read", key="a")], "done", tools=[add, read])

    @hooks.on.tool_execute_error
    async def converted(ctx: RunContext[Any], *, call: ToolCallPart, error: Exception, **_: Any) -> Any:
        case.note(f"{type(error).__name__} of {call.tool_call_id}")
        if isinstance(error, KeyError):
            raise ModelRetry(f"unknown {error}") from error
        if isinstance(error, PermissionError):
            raise ToolFailed("not allowed") from error
        return "a default"

    return case


def _errors_of_requests() -> Case:
    """A hook that answers where the model fails."""
    case, hooks = hooked([SUM], ValueError("broken"))

    @hooks.on.model_request_error
    async def answered(ctx: RunContext[Any], *, error: Exception, **_: Any) -> ModelResponse:
        case.note(type(error).__name__)
        return ModelResponse([TextPart("the service is away")])

    return case


def _skipping() -> Case:
    """Hooks in place of a request, of a validation, and of a call."""
    case, hooks = hooked(*ADDS[:1], [], "done")

    @hooks.on.before_model_request
    async def known(ctx: RunContext[Any], request_context: Any) -> Any:
        if ctx.run_step == 2:
            raise SkipModelRequest(ModelResponse([call("add", "cached", a=5, b="x")]))
        return request_context

    @hooks.on.before_tool_validate
    async def fits(ctx: RunContext[Any], *, args: Any, **_: Any) -> Any:
        if isinstance(args, dict) and args["b"] == "x":
            raise SkipToolValidation({"a": 5, "b": 5})
        return args

    @hooks.on.before_tool_execute
    async def remembered(ctx: RunContext[Any], *, args: Any, **_: Any) -> Any:
        if args["a"] == 3:
            raise SkipToolExecution("seven")
        return args

    return case


def _listening_hooks() -> Case:
    """A hook that sees the events of the run, in its calls, too; the run streams for it."""
    case, hooks = hooked(model=streamed(*ADDS))

    @hooks.on.event
    async def count(ctx: RunContext[Any], event: AgentStreamEvent) -> AgentStreamEvent:
        case.note(event.event_kind)
        return event

    return case


def _listening_handler() -> Case:
    """A handler of the whole stream of events."""

    async def log(ctx: RunContext[Any], events: AsyncIterable[AgentStreamEvent]) -> None:
        async for event in events:
            case.note(event.event_kind)

    case = of(model=streamed(*ADDS), tools=[add], capabilities=[ProcessEventStream(log)])
    return case


@dataclass
class Calculator(AbstractCapability[Any]):
    """Instructions, tools, settings of each step, and a toolset around all others."""

    case: Case

    def get_instructions(self) -> Any:
        return lambda ctx: f"Step {ctx.run_step} for {ctx.deps}."

    def get_toolset(self) -> FunctionToolset[Any]:
        return FunctionToolset([add])

    def get_model_settings(self) -> Any:
        return lambda ctx: ModelSettings(temperature=float(ctx.run_step), tool_choice="auto")

    def get_wrapper_toolset(self, toolset: AbstractToolset[Any]) -> AbstractToolset[Any]:
        return Logged(toolset, self.case)


@dataclass
class Logged(WrapperToolset[Any]):
    case: Case

    async def call_tool(self, name: str, tool_args: dict[str, Any], ctx: Any, tool: Any) -> Any:
        self.case.note(f"called {name}")
        return await super().call_tool(name, tool_args, ctx, tool)


@dataclass
class Traced(WrapperCapability[Any]):
    """Wraps another one."""

    case: Case = field(default_factory=lambda: Case(Agent("test")))

    async def before_model_request(self, ctx: RunContext[Any], request_context: Any) -> Any:
        self.case.note("traced")
        return await super().before_model_request(ctx, request_context)


@dataclass
class Redacting(AbstractCapability[Any]):
    """Stands within the others, and changes what the model said before they see it."""

    def get_ordering(self) -> CapabilityOrdering:
        return CapabilityOrdering(position="innermost")

    async def after_model_request(self, ctx: RunContext[Any], *, response: ModelResponse, **_: Any) -> ModelResponse:
        parts = [replace(part, content="***") if isinstance(part, TextPart) else part for part in response.parts]
        return replace(response, parts=parts)


def _capabilities_of_ones_own() -> Case:
    case = Case(Agent("test"), deps="Ann")
    case.agent = Agent(scripted(*ADDS), capabilities=[Redacting(), Traced(wrapped=Calculator(case), case=case)])
    return case


def _chosen_by_the_run() -> Case:
    """A capability that a function makes of the run's dependencies, for some users alone."""

    async def for_admins(ctx: RunContext[str]) -> AbstractCapability[str] | None:
        await asyncio.sleep(0)
        return Calculator(case) if ctx.deps == "admin" else None

    case = of(*ADDS, deps="admin", deps_type=str, capabilities=[for_admins])
    return case


@dataclass
class Required(AbstractCapability[Any]):
    """Sends a call back until the model has loaded what it must read."""

    async def before_tool_execute(self, ctx: RunContext[Any], *, tool_def: Any, args: Any, **_: Any) -> Any:
        if tool_def.name == "add" and "refunds" not in ctx.loaded_capability_ids:
            raise ModelRetry("load refunds first")
        return args


def _loaded_on_demand() -> Case:
    """A capability with a tool that the model loads, hooks that begin then, and a guard that asks for it."""
    later: dict[str, Any] = {"defer_loading": True}
    hooks = Hooks[Any](id="log", description="Use to log.", **later)
    status = plain("refund_status", lambda order_id: f"{order_id}: refunded")
    refunds = Capability[Any](
        id="refunds", description="Use for refunds.", instructions="Confirm the order.", tools=[status], **later
    )

    @hooks.on.before_model_request
    async def log(ctx: RunContext[Any], request_context: Any) -> Any:
        case.note(f"logged step {ctx.run_step}")
        return request_context

    turns: tuple[Turn, ...] = (
        [SUM],
        [call("load_capability", "1", id="refunds")],
        [call("refund_status", order_id="7"), call("load_capability", "2", id="log")],
        [call("add", "again", a=1, b=2)],
        "refunded",
    )
    case = of(*turns, tools=[add], capabilities=[refunds, Required(), hooks])
    return case


HOOKED: Cases = {
    make.__name__.removeprefix("_"): make
    for make in (
        *(_hooks_of_runs_and_requests, _hooks_of_calls, _hooks_of_outputs, _hooks_of_nodes, _hooks_for_some_tools),
        *(_rejected_answer, _errors_of_tools, _errors_of_requests, _skipping, _listening_hooks, _listening_handler),
        *(_capabilities_of_ones_own, _chosen_by_the_run, _loaded_on_demand),
    )
}
