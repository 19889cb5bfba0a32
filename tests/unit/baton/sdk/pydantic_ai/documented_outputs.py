"""Agents with the outputs that pydantic-ai documents: unions, output functions, modes, hand-offs, nothing, images."""

import re
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, Literal, NotRequired

from pydantic import BaseModel, ValidationInfo, field_validator
from pydantic_ai import (
    Agent,
    BinaryImage,
    ModelRetry,
    NativeOutput,
    PromptedOutput,
    RunContext,
    StructuredDict,
    TextOutput,
    ToolOutput,
    UnexpectedModelBehavior,
)
from pydantic_ai.capabilities import PrepareOutputTools
from pydantic_ai.messages import FilePart, ModelMessage, ModelResponse, TextPart, ThinkingPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.profiles import ModelProfile
from pydantic_ai.tools import ToolDefinition
from typing_extensions import TypedDict

from tests.unit.baton.sdk.pydantic_ai.documented_agents import FINAL, SUM, Case, Cases, City, add, of
from tests.unit.baton.sdk.pydantic_ai.played import call


class Box(BaseModel):
    width: int
    units: str


class Row(BaseModel):
    name: str
    country: str


class NoTable(BaseModel):
    """Use it when the query cannot be changed so that it works."""

    explanation: str


class Profile(TypedDict):
    name: str
    born: NotRequired[date]
    balance: NotRequired[Decimal]


@dataclass
class Seat:
    row: int
    letter: Literal["A", "B"]


def run_sql_query(query: str) -> list[Row]:
    """Run a query."""
    if not (table := re.match(r"SELECT \* FROM (\w+)", query)):
        raise ModelRetry("only 'SELECT *' is supported")
    if table.group(1) != "capitals":
        raise ModelRetry(f"unknown table {table.group(1)!r}")
    return [Row(name="Rome", country="Italy")]


def rows_of(output: Any) -> list[Row]:
    if isinstance(output, NoTable):
        raise ModelRetry(output.explanation)
    rows: list[Row] = output
    return rows


def _hand_off() -> Case:
    """A router whose output function runs another agent with the conversation so far."""

    def answer(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        asked = str(messages[-1].parts[-1].content)  # type: ignore[union-attr]
        query = "SELECT * FROM capitals" if "capitals" in asked else "SELECT name FROM t"
        return ModelResponse([call("final_result_run_sql_query", f"c{len(messages)}", query=query)])

    outputs: Any = [run_sql_query, NoTable]
    sql = Agent(FunctionModel(answer), output_type=outputs, instructions="Run queries.")

    async def hand_off_to_sql(ctx: RunContext[Any], query: str) -> list[Row]:
        """Hand a question to the agent for queries."""
        try:
            made = await sql.run(query, message_history=ctx.messages[:-1], usage=ctx.usage)
        except UnexpectedModelBehavior as error:
            raise ModelRetry(f"the other agent failed: {error}") from error
        return rows_of(made.output)

    turns = ([call("final_result_hand_off_to_sql", query, query=query)] for query in ("pets", "capitals"))
    return of(*turns, output_type=[hand_off_to_sql, NoTable], instructions="Route.", retries=2)


def split(ctx: RunContext[Any], text: str) -> list[str]:
    if text == "?":
        raise ModelRetry("words, please")
    return [f"step {ctx.run_step}", *text.split()]


def far(ctx: RunContext[str], km: int) -> str:
    if km < 5:
        raise ModelRetry(f"too near for {ctx.deps}")
    return f"{km} km for {ctx.deps}"


def _output_with_an_effect() -> Case:
    """An output function saves what it gets, once it is whole."""

    def save(ctx: RunContext[Any], record: Box) -> Box:
        if not ctx.partial_output:
            case.note(f"saved {record.width}")
        return record

    case = of([call(FINAL, width=4, units="cm")], output_type=save)
    return case


@dataclass
class Desk:
    clerk: str

    def file(self, title: str) -> str:
        if title == "?":
            raise ModelRetry("a title, please")
        return f"{title} by {self.clerk}"


async def _later(ctx: RunContext[Any], tools: list[ToolDefinition]) -> list[ToolDefinition]:
    return [replace(one, description=f"step {ctx.run_step}") for one in tools if ctx.run_step > 1]


class Checked(BaseModel):
    """A value whose bound the run's dependencies say."""

    x: int

    @field_validator("x")
    @classmethod
    def grown(cls, value: int, info: ValidationInfo) -> int:
        if value > (info.context or 0):
            raise ValueError(f"at most {info.context}")
        return value + (info.context or 0)


def take(checked: Checked) -> int:
    return checked.x


def _nothing(_: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    return ModelResponse([call(info.output_tools[-1].name, "1", response=None)])


def _painted(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
    if not any(isinstance(one, ModelResponse) for one in messages):
        return ModelResponse([TextPart("One moment.")])
    return ModelResponse([TextPart("Here."), FilePart(BinaryImage(b"\x89PNG", media_type="image/png"))])


def _exhaustive_outputs() -> Case:
    """Several outputs at once beside a call: all are made, and the first counts."""

    def save(name: str) -> str:
        case.note(f"saved {name}")
        return name

    turn = [call(FINAL, "1", name="one"), SUM, call(FINAL, "2", name="two")]
    case = of(turn, tools=[add], output_type=save, end_strategy="exhaustive")
    return case


FILES: Any = Desk("Ann").file
HUMAN = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
OUTPUTS: Cases = {
    # A structure, or a text that asks for more.
    "box_or_error": lambda: of("Which units?", output_type=[Box, str], instructions="Extract the box."),
    # A union of lists: a tool for each, whose argument is wrapped.
    "colors_or_sizes": lambda: of(
        [call("final_result_list", response=[10, "many"])],
        [call("final_result_list_2", response=[10, 20])],
        output_type=list[str] | list[int],
        retries=2,
    ),
    "hand_off": _hand_off,
    "words": lambda: of(
        *([SUM], "?", "a good answer"), tools=[add], output_type=[TextOutput(split), ToolOutput(City)], retries=2
    ),
    "output_function_retry": lambda: of(
        [call(FINAL, "1", km=1)], [call(FINAL, "2", km=9)], output_type=far, deps_type=str, deps="Ann"
    ),
    "output_with_an_effect": _output_with_an_effect,
    # An output function that is a method, beside a type with retries of its own.
    "bound_method": lambda: of(
        *([call("file", "1", title="?")], [call("city", "2", name="Ur")], [call("file", "3", title="Letter")]),
        output_type=[ToolOutput(FILES, name="file", max_retries=3), ToolOutput(City, name="city")],
        retries={"output": 2},
    ),
    # Output tools that the model gets only from the second step on, with another description.
    "prepared_outputs": lambda: of(
        [SUM],
        [call(FINAL, name="Ur", people=3)],
        tools=[add],
        output_type=ToolOutput(City, description="The city."),
        capabilities=[PrepareOutputTools(_later)],
    ),
    "native_union": lambda: of(
        [SUM],
        '{"result": {"kind": "City", "data": {"name": "Ur"}}}',
        '{"result": {"kind": "Box", "data": {"width": 2, "units": "m"}}}',
        tools=[add],
        output_type=NativeOutput([City, Box], name="found", description="What was found."),
        retries=2,
    ),
    "prompted_with_a_template": lambda: of(
        *("```json\n{}\n```", '{"width": 2, "units": "m"}'),
        output_type=PromptedOutput(Box, template="Answer by this schema: {schema}"),
        instructions="Extract.",
    ),
    "validation_context": lambda: of(
        *([call("take", checked={"x": 1})], [call(FINAL, "1", x=11)], [call(FINAL, "2", x=2)]),
        tools=[take],
        output_type=Checked,
        deps_type=int,
        deps=10,
        validation_context=lambda ctx: ctx.deps,
    ),
    # A model that says by a tool that there is no output.
    "number_or_nothing": lambda: of(model=FunctionModel(_nothing), output_type=[int, float, None]),
    # A picture that the model makes is the output.
    "image": lambda: of(
        model=FunctionModel(_painted, profile=ModelProfile(supports_image_output=True)),
        output_type=BinaryImage,
        retries=2,
    ),
    # Types that JSON does not have.
    "typed_dictionary": lambda: of([call(FINAL, name="Ben", born="1990-01-28", balance="1.50")], output_type=Profile),
    "structured_dict": lambda: of(
        [call(FINAL, name="Ann")], output_type=StructuredDict(HUMAN, name="Human", description="A person.")
    ),
    "dataclass_or_literal": lambda: of(
        *([call("final_result_Seat", letter, row=1, letter=letter)] for letter in ("Z", "A")),
        output_type=[Seat, ToolOutput(Literal["none"], name="refuse")],
    ),
    "exhaustive_outputs": _exhaustive_outputs,
    # An agent whose output may be nothing.
    "no_output": lambda: of([SUM], "", tools=[add], output_type=[str, type(None)]),
    # An answer without anything, and one with thoughts alone: the model is asked again.
    "empty_answers": lambda: of([], [ThinkingPart("Hm.")], "here", retries=3),
}
