"""Agents after the SDK's own examples, each made anew for a run: what it does, and what it notes of its hooks."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import agents as sdk
from agents.extensions import handoff_filters
from agents.models.interface import Model
from agents.usage import Usage
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText
from pydantic import BaseModel

from tests.unit.baton.sdk.pydantic_ai.documented_agents import cases_in

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
    hooks: Any = None
    max_turns: int | None = None
    refuses: bool = False


class City(BaseModel):
    name: str
    people: int


@sdk.function_tool
def weather(city: str) -> str:
    """Tell the weather."""
    return f"sunny in {city}"


@sdk.function_tool
def city_of(name: str) -> City:
    return City(name=name, people=3)


def hello_world() -> Case:
    return Case(sdk.Agent("hello", instructions="Only in haikus.", model=Scripted("hello", "a haiku")))


def one_tool() -> Case:
    model = Scripted("a", [("weather", {"city": "Ulm"})], "it is sunny")
    return Case(sdk.Agent("a", instructions="Help.", model=model, tools=[weather]))


def parallel_tools() -> Case:
    model = Scripted(
        "a", [("weather", {"city": "Ulm"}), ("city_of", {"name": "Ulm"})], [("weather", {"city": "Bonn"})], "ok"
    )
    return Case(sdk.Agent("a", model=model, tools=[weather, city_of]))


def dynamic_system_prompt() -> Case:
    def instructions(context: Any, agent: Any) -> str:
        return f"{agent.name} talks like {context.context['style']}"

    model = Scripted("a", [("weather", {"city": "Ulm"})], "ahoy")
    return Case(sdk.Agent("a", instructions=instructions, model=model, tools=[weather]), context={"style": "a pirate"})


class _Noting(sdk.AgentHooks[Any]):
    def __init__(self, noted: list[Any]) -> None:
        self.noted = noted

    async def on_start(self, context: Any, agent: Any) -> None:
        self.noted.append(("start", agent.name))

    async def on_end(self, context: Any, agent: Any, output: Any) -> None:
        self.noted.append(("end", agent.name, str(output)))

    async def on_handoff(self, context: Any, agent: Any, source: Any) -> None:
        self.noted.append(("handoff", source.name, agent.name))

    async def on_tool_start(self, context: Any, agent: Any, tool: Any) -> None:
        self.noted.append(("tool", tool.name))

    async def on_tool_end(self, context: Any, agent: Any, tool: Any, result: object) -> None:
        self.noted.append(("tool end", tool.name, str(result)))

    async def on_llm_start(self, context: Any, agent: Any, system_prompt: Any, input_items: Any) -> None:
        self.noted.append(("asks", agent.name, system_prompt, len(input_items)))

    async def on_llm_end(self, context: Any, agent: Any, response: Any) -> None:
        self.noted.append(("answered", len(response.output), context.usage.input_tokens))


class _RunNoting(sdk.RunHooks[Any]):
    def __init__(self, noted: list[Any]) -> None:
        self.noted = noted

    async def on_agent_start(self, context: Any, agent: Any) -> None:
        self.noted.append(("run start", agent.name))

    async def on_agent_end(self, context: Any, agent: Any, output: Any) -> None:
        self.noted.append(("run end", agent.name))

    async def on_handoff(self, context: Any, from_agent: Any, to_agent: Any) -> None:
        self.noted.append(("run handoff", from_agent.name, to_agent.name))

    async def on_tool_start(self, context: Any, agent: Any, tool: Any) -> None:
        self.noted.append(("run tool", tool.name, context.tool_arguments))

    async def on_llm_start(self, context: Any, agent: Any, system_prompt: Any, input_items: Any) -> None:
        self.noted.append(("run asks", len(input_items)))


def lifecycle_hooks() -> Case:
    noted: list[Any] = []
    second = sdk.Agent(
        "b", model=Scripted("b", [("city_of", {"name": "Ulm"})], "done"), tools=[city_of], hooks=_Noting(noted)
    )
    model = Scripted("a", [("weather", {"city": "Ulm"})], [("transfer_to_b", {})])
    first = sdk.Agent("a", model=model, tools=[weather], handoffs=[second], hooks=_Noting(noted))
    return Case(first, noted, hooks=_RunNoting(noted))


def agents_as_tools() -> Case:
    inner = sdk.Agent(
        "spanish",
        instructions="To Spanish.",
        model=Scripted("spanish", [("weather", {"city": "x"})], "hola"),
        tools=[weather],
    )
    model = Scripted("a", [("translate", {"input": "hello"})], "it is hola")
    return Case(sdk.Agent("a", model=model, tools=[inner.as_tool("translate", "Translate it.")]))


def output_type() -> Case:
    text = json.dumps({"name": "Ulm", "people": 2})
    return Case(
        sdk.Agent("a", model=Scripted("a", [("weather", {"city": "Ulm"})], text), tools=[weather], output_type=City)
    )


def bad_output() -> Case:
    return Case(sdk.Agent("a", model=Scripted("a", "no JSON"), output_type=City))


def stop_on_first_tool() -> Case:
    model = Scripted("a", [("city_of", {"name": "Ulm"})])
    return Case(sdk.Agent("a", model=model, tools=[city_of], tool_use_behavior="stop_on_first_tool"))


def own_tool_use() -> Case:
    async def decide(_: Any, results: Any) -> sdk.ToolsToFinalOutputResult:
        return sdk.ToolsToFinalOutputResult(is_final_output=True, final_output=[one.output for one in results])

    @sdk.function_tool
    def count() -> int:
        return 2**90

    model = Scripted("a", [("weather", {"city": "Ulm"}), ("count", {})])
    return Case(sdk.Agent("a", model=model, tools=[weather, count], tool_use_behavior=decide))


def no_output() -> Case:
    kind: Any = City | None
    schema = sdk.AgentOutputSchema(kind, strict_json_schema=False)
    return Case(sdk.Agent("a", model=Scripted("a", '{"response": null}'), output_type=schema))


def input_guardrail(*, blocking: bool = False) -> Case:
    noted: list[Any] = []

    async def check(_context: Any, _agent: Any, given: Any) -> sdk.GuardrailFunctionOutput:
        noted.append("checked")
        return sdk.GuardrailFunctionOutput(output_info=None, tripwire_triggered="do it" in str(given))

    guardrail = sdk.InputGuardrail(check, name="homework", run_in_parallel=not blocking)
    return Case(sdk.Agent("a", model=Scripted("a", "42"), input_guardrails=[guardrail]), noted)


def blocking_guardrail() -> Case:
    return input_guardrail(blocking=True)


def passing_guardrails() -> Case:
    noted: list[Any] = []

    @sdk.input_guardrail
    async def before(_context: Any, _agent: Any, _: Any) -> sdk.GuardrailFunctionOutput:
        noted.append("before")
        return sdk.GuardrailFunctionOutput(output_info=None, tripwire_triggered=False)

    @sdk.output_guardrail
    async def after(_context: Any, _agent: Any, output: Any) -> sdk.GuardrailFunctionOutput:
        noted.append(("after", output))
        return sdk.GuardrailFunctionOutput(output_info=None, tripwire_triggered=False)

    model = Scripted("a", [("weather", {"city": "Ulm"})], "42")
    return Case(
        sdk.Agent("a", model=model, tools=[weather], input_guardrails=[before], output_guardrails=[after]), noted
    )


def output_guardrail() -> Case:
    @sdk.output_guardrail
    async def check(_context: Any, _agent: Any, output: Any) -> sdk.GuardrailFunctionOutput:
        return sdk.GuardrailFunctionOutput(output_info=None, tripwire_triggered="phone" in output)

    return Case(sdk.Agent("a", model=Scripted("a", "phone 123"), output_guardrails=[check]))


def tool_guardrails() -> Case:
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

    model = Scripted("a", [("visit", {"city": "Bonn"}), ("visit", {"city": "Ulm"})], "ok")
    return Case(sdk.Agent("a", model=model, tools=[visit]), noted)


def routing() -> Case:
    model = Scripted("french", [("weather", {"city": "Paris"})], "bonjour")
    french = sdk.Agent("french", instructions="French.", model=model, tools=[weather])
    spanish = sdk.Agent("spanish", instructions="Spanish.", model=Scripted("spanish", "hola"))
    model = Scripted("triage", [("transfer_to_french", {})])
    return Case(sdk.Agent("triage", instructions="Triage.", model=model, handoffs=[spanish, french]))


def handoff_beside_a_call() -> Case:
    noted: list[Any] = []
    other = sdk.Agent("b", model=Scripted("b", "done"), hooks=_Noting(noted))
    model = Scripted("a", [("weather", {"city": "Ulm"}), ("transfer_to_b", {})])
    return Case(sdk.Agent("a", model=model, tools=[weather], handoffs=[other], hooks=_Noting(noted)), noted)


class Reason(BaseModel):
    reason: str


def handoff_with_input() -> Case:
    noted: list[Any] = []

    async def on_handoff(_: Any, given: Reason) -> None:
        noted.append(given.reason)

    other = sdk.Agent("b", model=Scripted("b", "done"))
    handoff = sdk.handoff(other, on_handoff=on_handoff, input_type=Reason, tool_name_override="escalate")
    model = Scripted("a", [("weather", {"city": "Ulm"})], [("escalate", {"reason": "angry"})])
    return Case(sdk.Agent("a", model=model, tools=[weather], handoffs=[handoff]), noted)


def message_filter() -> Case:
    model = Scripted("b", [("weather", {"city": "Bonn"})], "done")
    other = sdk.Agent("b", model=model, tools=[weather])
    handoff = sdk.handoff(other, input_filter=handoff_filters.remove_all_tools)
    model = Scripted("a", [("weather", {"city": "Ulm"})], [("transfer_to_b", {})])
    return Case(sdk.Agent("a", model=model, tools=[weather], handoffs=[handoff]))


def there_and_back() -> Case:
    settings = sdk.ModelSettings(tool_choice="required")
    model = Scripted("a", [("weather", {"city": "Ulm"})], [("transfer_to_b", {})], "the end")
    first = sdk.Agent("a", model=model, tools=[weather], model_settings=settings)
    other = sdk.Agent("b", model=Scripted("b", [("transfer_to_a", {})]), handoffs=[first])
    first.handoffs.append(other)
    return Case(first)


@sdk.function_tool(needs_approval=True)
def pay(euros: int) -> str:
    return f"paid {euros}"


def human_in_the_loop() -> Case:
    noted: list[Any] = []

    async def asks(_context: Any, arguments: dict[str, Any], _: str) -> bool:
        return bool(arguments["city"] == "Oakland")

    @sdk.function_tool(needs_approval=asks)
    def temperature(city: str) -> str:
        """Tell the temperature."""
        return f"20 in {city}"

    model = Scripted(
        "a", [("pay", {"euros": 3}), ("temperature", {"city": "Ulm"})], [("temperature", {"city": "Oakland"})], "ok"
    )
    return Case(sdk.Agent("a", model=model, tools=[pay, temperature], hooks=_Noting(noted)), noted)


def approval_beside_a_handoff() -> Case:
    model = Scripted("a", [("pay", {"euros": 1}), ("weather", {"city": "Ulm"}), ("transfer_to_b", {})])
    other = sdk.Agent("b", model=Scripted("b", "done"))
    return Case(sdk.Agent("a", model=model, tools=[pay, weather], handoffs=[other]))


def refused() -> Case:
    model = Scripted("a", [("pay", {"euros": 3}), ("weather", {"city": "Ulm"})], "not paid")
    return Case(sdk.Agent("a", model=model, tools=[pay, weather]), refuses=True)


@sdk.function_tool
def fails(n: int) -> str:
    raise ValueError(f"no {n}")


def failing_tool() -> Case:
    return Case(
        sdk.Agent(
            "a", model=Scripted("a", [("fails", {"n": 1}), ("weather", {"city": "Ulm"})], "ok"), tools=[fails, weather]
        )
    )


def raising_tool() -> Case:
    @sdk.function_tool(failure_error_function=None)
    def raises(n: int) -> str:
        raise ValueError(f"no {n}")

    return Case(sdk.Agent("a", model=Scripted("a", [("raises", {"n": 1})], "ok"), tools=[raises]))


def invalid_arguments() -> Case:
    @sdk.function_tool(strict_mode=False)
    def note(data: dict[str, Any] | None = None) -> str:
        return f"noted {data}"

    asked = [("weather", "{no JSON"), ("weather", {"town": "Ulm"}), ("note", "null"), ("note", '{"data": {"x": NaN}}')]
    return Case(sdk.Agent("a", model=Scripted("a", asked, "ok"), tools=[weather, note]))


def slow_tool() -> Case:
    import asyncio  # noqa: PLC0415 - of this case

    @sdk.function_tool(timeout=0.05)
    async def slow() -> str:
        await asyncio.sleep(5)
        return "late"

    return Case(sdk.Agent("a", model=Scripted("a", [("slow", {})], "ok"), tools=[slow]))


def max_turns() -> Case:
    turns = [[("weather", {"city": str(n)})] for n in range(4)]
    return Case(sdk.Agent("a", model=Scripted("a", *turns, "ok"), tools=[weather]), max_turns=3)


def just_enough_turns() -> Case:
    turns = [[("weather", {"city": str(n)})] for n in range(9)]
    return Case(sdk.Agent("a", model=Scripted("a", *turns, "ok"), tools=[weather]))


def picture() -> Case:
    @sdk.function_tool
    def draw() -> sdk.ToolOutputImage:
        return sdk.ToolOutputImage(image_url="https://example.com/a.png", detail="low")

    return Case(sdk.Agent("a", model=Scripted("a", [("draw", {})], "ok"), tools=[draw]))


def enabled_by_context() -> Case:
    @sdk.function_tool(is_enabled=lambda context, _: bool(context.context["admin"]))
    def secret() -> str:
        return "42"

    return Case(
        sdk.Agent("a", model=Scripted("a", [("secret", {})], "ok"), tools=[secret, weather]), context={"admin": True}
    )


EXAMPLES = cases_in(globals())
