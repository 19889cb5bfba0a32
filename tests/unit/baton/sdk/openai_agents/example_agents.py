"""Agents after the SDK's own examples, each made anew for a run: what it does, and what it notes of its hooks."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import agents as sdk
from agents.extensions import handoff_filters
from agents.models.interface import Model
from agents.usage import Usage
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText
from pydantic import BaseModel

Asked = tuple[str, Any]
Turn = Sequence[Asked] | str | Exception


def _text(text: str) -> ResponseOutputMessage:
    content = ResponseOutputText(type="output_text", text=text, annotations=[])
    return ResponseOutputMessage(id="message", type="message", role="assistant", status="completed", content=[content])


class NoStreamError(NotImplementedError):
    """What a model raises that has no streams."""


class Scripted(Model):
    """Gives these answers, by the calls of its own that it reads; a call's arguments are JSON, or a text as it is."""

    def __init__(self, name: str, *turns: Turn) -> None:
        self.name, self.turns = name, turns
        self.read: list[Any] = []

    async def get_response(
        self,
        system_instructions: Any,
        input: Any,  # noqa: A002 - as the SDK has it
        model_settings: Any,
        *_: Any,
        **__: Any,
    ) -> sdk.ModelResponse:
        self.read.append((system_instructions, input, model_settings.tool_choice))
        ids = [item.get("call_id", "") for item in input if isinstance(item, dict)]
        mine = [int(one.split("-")[1]) for one in ids if one.startswith(f"{self.name}-")]
        number = max(mine, default=-1) + 1
        turn = self.turns[number]
        if isinstance(turn, Exception):
            raise turn
        output: list[Any] = [_text(turn)] if isinstance(turn, str) else []
        for at, (tool, arguments) in enumerate(() if isinstance(turn, str) else turn):
            text = arguments if isinstance(arguments, str) else json.dumps(arguments)
            call_id = f"{self.name}-{number}-{at}"
            place: Any = {"type": "function_call", "id": f"fc_{call_id}", "call_id": call_id}
            output.append(ResponseFunctionToolCall(**place, name=tool, arguments=text))
        usage = Usage(requests=1, input_tokens=10 + number, output_tokens=5, total_tokens=15 + number)
        return sdk.ModelResponse(output=output, usage=usage, response_id=None)

    def stream_response(self, *_: Any, **__: Any) -> Any:
        raise NoStreamError


@dataclass
class Case:
    """An agent with what `Runner.run` takes beside it; `noted`: what its own code has noted."""

    agent: sdk.Agent[Any]
    noted: list[Any] = field(default_factory=list)
    context: Any = None
    run_hooks: Any = None
    max_turns: int | None = None
    refuses: bool = False


class City(BaseModel):
    name: str
    people: int


class Reason(BaseModel):
    reason: str


@sdk.function_tool
def weather(city: str) -> str:
    """Tell the weather."""
    return f"sunny in {city}"


@sdk.function_tool
def city_of(name: str) -> City:
    return City(name=name, people=3)


@sdk.function_tool
def count() -> int:
    return 2**90


@sdk.function_tool(needs_approval=True)
def pay(euros: int) -> str:
    return f"paid {euros}"


async def _is_oakland(_context: Any, arguments: dict[str, Any], _: str) -> bool:
    return bool(arguments["city"] == "Oakland")


@sdk.function_tool(needs_approval=_is_oakland)
def temperature(city: str) -> str:
    """Tell the temperature."""
    return f"20 in {city}"


@sdk.function_tool
def fails(n: int) -> str:
    raise ValueError(f"no {n}")


@sdk.function_tool(failure_error_function=None)
def raises(n: int) -> str:
    raise ValueError(f"no {n}")


@sdk.function_tool(strict_mode=False)
def note(data: dict[str, Any] | None = None) -> str:
    return f"noted {data}"


@sdk.function_tool(timeout=0.05)
async def slow() -> str:
    await asyncio.sleep(5)
    return "late"


@sdk.function_tool
def draw() -> sdk.ToolOutputImage:
    return sdk.ToolOutputImage(image_url="https://example.com/a.png", detail="low")


@sdk.function_tool(is_enabled=lambda context, _: bool(context.context["admin"]))
def secret() -> str:
    return "42"


def _shown(value: Any) -> Any:
    """A value of a hook as it is in each run."""
    match value:
        case list():
            return len(value)
        case sdk.ModelResponse():
            return len(value.output)
        case str() | BaseModel():
            return str(value)
        case _:
            return getattr(value, "name", type(value).__name__)


def _noting(kind: type[Any], noted: list[Any]) -> Any:
    """Hooks of this kind, each of which notes what it is told, and how much the run has used."""
    hooks = kind()
    for name in (name for name in dir(kind) if name.startswith("on_")):

        async def hook(context: Any, *args: Any, _name: str = name, **named: Any) -> None:
            about = getattr(context, "tool_arguments", ""), context.usage.input_tokens
            noted.append((kind.__name__, _name, *about, *map(_shown, (*args, *named.values()))))

        setattr(hooks, name, hook)
    return hooks


def _agent(name: str, *turns: Turn, **settings: Any) -> sdk.Agent[Any]:
    return sdk.Agent(name, model=Scripted(name, *turns), **settings)


def _of(*turns: Turn, tools: Sequence[Any] = (weather,), **given: Any) -> Case:
    """An agent with these answers and tools. `given`: what its case has, and what the agent is made with."""
    own = {each.name for each in fields(Case)} & given.keys()
    settings = {name: value for name, value in given.items() if name not in own}
    return Case(_agent("a", *turns, tools=list(tools), **settings), **{name: given[name] for name in own})


ULM, BONN, CITY_OF = ("weather", {"city": "Ulm"}), ("weather", {"city": "Bonn"}), ("city_of", {"name": "Ulm"})
TO_B: Asked = ("transfer_to_b", {})
CITIES: list[Turn] = [[("weather", {"city": str(n)})] for n in range(9)]


def _styled(context: Any, agent: Any) -> str:
    return f"{agent.name} talks like {context.context['style']}"


def _lifecycle_hooks() -> Case:
    noted: list[Any] = []
    of_agent, of_run = _noting(sdk.AgentHooks, noted), _noting(sdk.RunHooks, noted)
    second = _agent("b", [CITY_OF], "done", tools=[city_of], hooks=of_agent)
    return _of([ULM], [TO_B], handoffs=[second], hooks=of_agent, noted=noted, run_hooks=of_run)


def _hooked(*turns: Turn, **settings: Any) -> Case:
    noted: list[Any] = []
    other = _agent("b", "done", hooks=_noting(sdk.AgentHooks, noted))
    return _of(*turns, handoffs=[other], hooks=_noting(sdk.AgentHooks, noted), noted=noted, **settings)


def _agents_as_tools() -> Case:
    inner = _agent("spanish", [("weather", {"city": "x"})], "hola", instructions="To Spanish.", tools=[weather])
    return _of([("translate", {"input": "hello"})], "it is hola", tools=[inner.as_tool("translate", "Translate it.")])


async def _all_results(_: Any, results: Any) -> sdk.ToolsToFinalOutputResult:
    return sdk.ToolsToFinalOutputResult(is_final_output=True, final_output=[one.output for one in results])


def _schema(kind: Any) -> sdk.AgentOutputSchema:
    return sdk.AgentOutputSchema(kind, strict_json_schema=False)


def _tripped(is_tripped: bool) -> sdk.GuardrailFunctionOutput:
    return sdk.GuardrailFunctionOutput(output_info=None, tripwire_triggered=is_tripped)


def _input_guardrail(*, blocking: bool) -> Case:
    noted: list[Any] = []

    async def check(_context: Any, _agent: Any, given: Any) -> sdk.GuardrailFunctionOutput:
        noted.append("checked")
        return _tripped("do it" in str(given))

    guardrail = sdk.InputGuardrail(check, name="homework", run_in_parallel=not blocking)
    return _of("42", tools=[], input_guardrails=[guardrail], noted=noted)


def _passing_guardrails() -> Case:
    noted: list[Any] = []

    @sdk.input_guardrail
    async def before(_context: Any, _agent: Any, _: Any) -> sdk.GuardrailFunctionOutput:
        noted.append("before")
        return _tripped(False)

    @sdk.output_guardrail
    async def after(_context: Any, _agent: Any, output: Any) -> sdk.GuardrailFunctionOutput:
        noted.append(("after", output))
        return _tripped(False)

    return _of([ULM], "42", input_guardrails=[before], output_guardrails=[after], noted=noted)


@sdk.output_guardrail
async def _no_phone(_context: Any, _agent: Any, output: Any) -> sdk.GuardrailFunctionOutput:
    return _tripped("phone" in output)


def _tool_guardrails() -> Case:
    noted: list[Any] = []

    @sdk.tool_input_guardrail
    def no_bonn(data: Any) -> sdk.ToolGuardrailFunctionOutput:
        noted.append(("in", data.context.tool_arguments))
        if "Bonn" in data.context.tool_arguments:
            return sdk.ToolGuardrailFunctionOutput.reject_content("not Bonn")
        return sdk.ToolGuardrailFunctionOutput.allow()

    @sdk.tool_output_guardrail
    def out(data: Any) -> sdk.ToolGuardrailFunctionOutput:
        noted.append(("out", data.output))
        return sdk.ToolGuardrailFunctionOutput.allow()

    @sdk.function_tool(tool_input_guardrails=[no_bonn], tool_output_guardrails=[out])
    def visit(city: str) -> str:
        noted.append(("visit", city))
        return f"visited {city}"

    return _of([("visit", {"city": "Bonn"}), ("visit", {"city": "Ulm"})], "ok", tools=[visit], noted=noted)


def _routing() -> Case:
    french = _agent("french", [("weather", {"city": "Paris"})], "bonjour", instructions="French.", tools=[weather])
    spanish = _agent("spanish", "hola", instructions="Spanish.")
    triage = _agent("triage", [("transfer_to_french", {})], instructions="Triage.", handoffs=[spanish, french])
    return Case(triage)


def _handoff_with_input() -> Case:
    noted: list[Any] = []

    async def on_handoff(_: Any, given: Reason) -> None:
        noted.append(given.reason)

    other = _agent("b", "done")
    handoff = sdk.handoff(other, on_handoff=on_handoff, input_type=Reason, tool_name_override="escalate")
    return _of([ULM], [("escalate", {"reason": "angry"})], handoffs=[handoff], noted=noted)


def _message_filter() -> Case:
    other = _agent("b", [BONN], "done", tools=[weather])
    return _of([ULM], [TO_B], handoffs=[sdk.handoff(other, input_filter=handoff_filters.remove_all_tools)])


def _there_and_back() -> Case:
    case = _of([ULM], [TO_B], "the end", model_settings=sdk.ModelSettings(tool_choice="required"))
    case.agent.handoffs.append(_agent("b", [("transfer_to_a", {})], handoffs=[case.agent]))
    return case


EXAMPLES: Mapping[str, Callable[[], Case]] = {
    "hello_world": lambda: _of("a haiku", instructions="Only in haikus.", tools=[]),
    "one_tool": lambda: _of([ULM], "it is sunny", instructions="Help."),
    "parallel_tools": lambda: _of([ULM, CITY_OF], [BONN], "ok", tools=[weather, city_of]),
    "dynamic_system_prompt": lambda: _of([ULM], "ahoy", instructions=_styled, context={"style": "a pirate"}),
    "lifecycle_hooks": _lifecycle_hooks,
    "agents_as_tools": _agents_as_tools,
    "output_type": lambda: _of([ULM], json.dumps({"name": "Ulm", "people": 2}), output_type=City),
    "bad_output": lambda: _of("no JSON", output_type=City, tools=[]),
    "stop_on_first_tool": lambda: _of([CITY_OF], tools=[city_of], tool_use_behavior="stop_on_first_tool"),
    "own_tool_use": lambda: _of([ULM, ("count", {})], tools=[weather, count], tool_use_behavior=_all_results),
    "no_output": lambda: _of('{"response": null}', output_type=_schema(City | None), tools=[]),
    "input_guardrail": lambda: _input_guardrail(blocking=False),
    "blocking_guardrail": lambda: _input_guardrail(blocking=True),
    "passing_guardrails": _passing_guardrails,
    "output_guardrail": lambda: _of("phone 123", output_guardrails=[_no_phone], tools=[]),
    "tool_guardrails": _tool_guardrails,
    "routing": _routing,
    "handoff_beside_a_call": lambda: _hooked([ULM, TO_B]),
    "handoff_with_input": _handoff_with_input,
    "message_filter": _message_filter,
    "there_and_back": _there_and_back,
    "human_in_the_loop": lambda: _hooked(
        [("pay", {"euros": 3}), ("temperature", {"city": "Ulm"})],
        *([("temperature", {"city": "Oakland"})], "ok"),
        tools=[pay, temperature],
    ),
    "approval_beside_a_handoff": lambda: _of(
        [("pay", {"euros": 1}), ULM, TO_B], tools=[pay, weather], handoffs=[_agent("b", "done")]
    ),
    "refused": lambda: _of([("pay", {"euros": 3}), ULM], "not paid", tools=[pay, weather], refuses=True),
    "failing_tool": lambda: _of([("fails", {"n": 1}), ULM], "ok", tools=[fails, weather]),
    "raising_tool": lambda: _of([("raises", {"n": 1})], "ok", tools=[raises]),
    "invalid_arguments": lambda: _of(
        [("weather", "{no JSON"), ("weather", {"town": "Ulm"}), ("note", "null"), ("note", '{"data": {"x": NaN}}')],
        "ok",
        tools=[weather, note],
    ),
    "slow_tool": lambda: _of([("slow", {})], "ok", tools=[slow]),
    "max_turns": lambda: _of(*CITIES[:4], "ok", max_turns=3),
    "just_enough_turns": lambda: _of(*CITIES, "ok"),
    "picture": lambda: _of([("draw", {})], "ok", tools=[draw]),
    "enabled_by_context": lambda: _of([("secret", {})], "ok", tools=[secret, weather], context={"admin": True}),
}
