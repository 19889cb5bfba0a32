"""The agents of pydantic-ai's examples, and what its pages show of tools, toolsets, inputs, histories and models."""

from dataclasses import dataclass, replace
from typing import Any

import httpx
from pydantic import BaseModel, Field
from pydantic_ai import (
    Agent,
    DeferredToolRequests,
    DeferredToolResults,
    ExternalToolset,
    ModelRetry,
    RunContext,
    Tool,
    ToolApproved,
    ToolDenied,
)
from pydantic_ai.capabilities import HandleDeferredToolCalls, ProcessHistory, SetToolMetadata
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, UserPromptPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.toolsets import FunctionToolset
from pydantic_ai.usage import UsageLimits

from tests.unit.baton.sdk.pydantic_ai.documented_agents import FINAL, SUM, Case, Cases, City, add, of, plain
from tests.unit.baton.sdk.pydantic_ai.played import Turn, call, scripted


@dataclass
class Bank:
    customer_id: int
    balances: dict[int, float]

    async def balance(self, *, pending: bool) -> float:
        return self.balances[self.customer_id] + pending


class Support(BaseModel):
    advice: str = Field(description="Advice for the customer")
    block_card: bool
    risk: int = Field(ge=0, le=10)


async def _customer(ctx: RunContext[Bank]) -> str:
    return f"The customer's number is {ctx.deps.customer_id}."


async def customer_balance(ctx: RunContext[Bank], include_pending: bool) -> str:
    return f"${await ctx.deps.balance(pending=include_pending):.2f}"


def _bank_support() -> Case:
    support: dict[str, Any] = {"advice": "Block it.", "block_card": True}
    return of(
        [call("customer_balance", include_pending=True)],
        *([call(FINAL, str(risk), **support, risk=risk)] for risk in (11, 8)),
        deps=Bank(1, {1: 122.45}),
        deps_type=Bank,
        output_type=Support,
        instructions=["You are a support agent.", _customer],
        tools=[customer_balance],
    )


async def lat_lng(ctx: RunContext[httpx.AsyncClient], place: str) -> dict[str, Any]:
    """Get the latitude and longitude of a place."""
    return dict((await ctx.deps.get("https://example.com/latlng", params={"place": place})).json())


async def weather(ctx: RunContext[httpx.AsyncClient], lat: float) -> dict[str, Any]:
    return dict((await ctx.deps.get("https://example.com/weather", params={"lat": lat})).json())


def _weather_agent() -> Case:
    """Tools that share a client of the run's dependencies."""

    def served(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"path": request.url.path, "query": dict(request.url.params)})

    turns = [call("lat_lng", place="London"), call("lat_lng", place="Ur")], [call("weather", lat=51.5)]
    client = httpx.AsyncClient(transport=httpx.MockTransport(served))
    return of(*turns, "rain", deps=client, deps_type=httpx.AsyncClient, retries=2, tools=[lat_lng, weather])


class Flight(BaseModel):
    number: str
    price: int


class NoFlight(BaseModel):
    """When no flight is found."""


async def _cheap(ctx: RunContext[str], output: Any) -> Any:
    if isinstance(output, Flight) and output.price > 100:
        raise ModelRetry("too dear")
    return output


def _flight_booking() -> Case:
    """An agent that delegates within a tool, under shared limits, and whose output is checked."""
    flights: list[dict[str, Any]] = [{"number": "BA1", "price": 500}, {"number": "BA2", "price": 100}]
    turns = [call(FINAL, response=flights)]
    extraction = Agent(scripted(turns), output_type=list[Flight], instructions="Extract all flights.")

    async def extract_flights(ctx: RunContext[str]) -> list[Flight]:
        """Get all flights."""
        return (await extraction.run(ctx.deps, usage=ctx.usage)).output

    return of(
        [call("extract_flights")],
        *([call("final_result_Flight", str(at), **flight)] for at, flight in enumerate(flights)),
        output_type=[Flight, NoFlight],
        deps="a page",
        deps_type=str,
        retries=4,
        tools=[extract_flights],
        validator=_cheap,
        limits=UsageLimits(request_limit=15, tool_calls_limit=3, output_tokens_limit=1_000),
    )


def _from_a_file() -> Case:
    """An agent by its specification."""
    spec = {
        "instructions": "Help.",
        "model_settings": {"max_tokens": 9},
        "retries": 2,
        "capabilities": [{"Thinking": "high"}, "ReinjectSystemPrompt"],
        "metadata": {"team": "a"},
    }
    agent: Any = Agent.from_spec(spec, model=scripted([call("add", a=1)], [SUM], "3"), tools=[add])
    return Case(agent)


def _prepared_tools() -> Case:
    """Tools by what the run depends on, with a description of the moment, and forced in the first step."""

    async def described(ctx: RunContext[str], tool: ToolDefinition) -> ToolDefinition | None:
        return replace(tool, description=f"Greet a {ctx.deps} in step {ctx.run_step}.") if ctx.deps else None

    def settings(ctx: RunContext[str]) -> ModelSettings:
        return ModelSettings(tool_choice=["greet"]) if ctx.run_step == 1 else ModelSettings(max_tokens=ctx.run_step)

    def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        forced = (info.model_settings or {}).get("tool_choice")
        tools = [(one.name, one.description) for one in info.function_tools]
        return ModelResponse([call("greet", name="Ann") if forced else TextPart(f"{tools} {info.model_settings}")])

    greet = plain("greet", lambda name: f"hello {name}", prepare=described)
    return of(model=FunctionModel(answer), deps="human", deps_type=str, model_settings=settings, tools=[greet])


def book(reservation: City) -> str:
    return f"booked for {reservation.people}"


def total(**numbers: int) -> int:
    return sum(numbers.values())


def noted(ctx: RunContext[Any], text: str, times: int = 2) -> str:  # noqa: D417 - no argument of the model's
    """Note a text.

    Args:
        text: what is noted
        times: how often
    """
    return f"{ctx.tool_name} {ctx.tool_call_id} {ctx.last_attempt} {text * times}"


def _forms_of_tools() -> Case:
    """One argument as the whole schema, any arguments, and descriptions from a docstring."""
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": {"type": "integer"}}
    described: dict[str, Any] = {"docstring_format": "google", "require_parameter_descriptions": True}
    return of(
        *([call("book", name="Ur", people=2), call("total", a=1, b=2), call("noted", text="x")], "done"),
        tools=[
            Tool[Any](book, strict=True, metadata={"kind": "desk"}),
            Tool[Any].from_schema(total, "total", "Sum.", schema),
            Tool[Any](noted, **described),
        ],
        capabilities=[SetToolMetadata(tools=["book"], urgent=True)],
    )


def _toolsets_with_instructions() -> Case:
    """Instructions of toolsets, beside the agent's own; tools of a toolset that changes with the step."""
    maths = FunctionToolset[str]([add], max_retries=3, instructions="Add with care.", metadata={"of": "maths"})
    maths.instructions(lambda ctx: f"You help {ctx.deps} in step {ctx.run_step}.")
    case = of(
        *([call("add", a=1)], [SUM, call("of_step", n=1)], "3"),
        toolsets=[maths.include_return_schemas().with_metadata(shown=True)],
        deps="Ann",
        deps_type=str,
        instructions="Be kind.",
    )

    @case.agent.toolset
    def of_step(ctx: RunContext[str]) -> FunctionToolset[str]:
        tool = plain("of_step", lambda n: f"{n} in step {ctx.run_step}")
        return FunctionToolset[str]([tool], instructions=f"Made in step {ctx.run_step}.")

    return case


def _approvals_of_a_toolset() -> Case:
    """Calls that need an approval by their arguments, which are checked before anybody is asked; an external tool."""

    async def decide(_: RunContext[Any], requests: DeferredToolRequests) -> DeferredToolResults:
        """Approve small sums, edit those of ten, deny larger ones, and answer external calls."""
        results = DeferredToolResults(calls={one.tool_call_id: f"{one.tool_name}: red" for one in requests.calls})
        for one in requests.approvals:
            case.note(f"asked {one.tool_call_id}")
            a = one.args_as_dict()["a"]
            approved = ToolApproved(override_args={"a": 1, "b": 1}) if a == 10 else ToolDenied("too much")
            results.approvals[one.tool_call_id] = True if a < 10 else approved
        return results

    def checked(ctx: RunContext[Any], a: int, b: int) -> None:
        if a > 1_000:
            raise ModelRetry("far too much")

    toolset = FunctionToolset[Any]([Tool(add, args_validator=checked)])
    schema = {"type": "object", "properties": {"of": {"type": "string"}}, "required": ["of"]}
    external = ExternalToolset[Any]([ToolDefinition(name="colour", parameters_json_schema=schema)])
    turns: tuple[Turn, ...] = (
        [call("add", "free", a=1, b=1), call("add", "small", a=5, b=5), call("add", "odd", a=2_000, b=0)],
        [call("add", "edited", a=10, b=0), call("add", "large", a=20, b=0), call("colour", "c", of="wall")],
        "done",
    )
    needing = toolset.approval_required(lambda ctx, tool, args: args["a"] > 2)
    case = of(*turns, toolsets=[needing, external], capabilities=[HandleDeferredToolCalls(decide)])
    return case


def _several_processors() -> Case:
    """Processors of the history, one after another: one knows the usage, one asks another model for a summary."""
    summarize = Agent(scripted("a summary"))

    def only_text(messages: list[ModelMessage]) -> list[ModelMessage]:
        return [one for one in messages if not (isinstance(one, ModelRequest) and not one.parts)]

    async def summed_up(ctx: RunContext[Any], messages: list[ModelMessage]) -> list[ModelMessage]:
        if len(messages) < 5 or ctx.usage.requests > 2:
            return messages
        summary = (await summarize.run(str(len(messages)))).output
        return [ModelRequest([UserPromptPart(summary)]), *messages[-2:]]

    def answer(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        sums = [part.content for one in messages for part in one.parts if part.part_kind == "tool-return"]
        n: Any = sums[-1] if sums else 0
        return ModelResponse([call("add", f"c{n}", a=n, b=1) if n < 4 else TextPart(f"{len(messages)} messages")])

    processors = [ProcessHistory(only_text), ProcessHistory(summed_up)]
    return of(model=FunctionModel(answer), tools=[add], system_prompt="Add.", capabilities=processors)


EXAMPLES: Cases = {
    make.__name__.removeprefix("_"): make
    for make in (
        *(_bank_support, _weather_agent, _flight_booking, _from_a_file, _prepared_tools, _forms_of_tools),
        *(_toolsets_with_instructions, _approvals_of_a_toolset, _several_processors),
    )
}
