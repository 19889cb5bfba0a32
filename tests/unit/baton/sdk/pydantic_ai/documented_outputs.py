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

from tests.unit.baton.sdk.pydantic_ai.documented_agents import Case, City, add, cases_in
from tests.unit.baton.sdk.pydantic_ai.played import call, scripted

FINAL = "final_result"


class Box(BaseModel):
    width: int
    units: str


def box_or_error() -> Case:
    """A structure, or a text that asks for more."""
    return Case(Agent(scripted("Which units?"), output_type=[Box, str], instructions="Extract the box."))


def colors_or_sizes() -> Case:
    """A union of lists: a tool for each, whose argument is wrapped."""
    output: Any = list[str] | list[int]
    turns = [call("final_result_list", response=[10, "many"])], [call("final_result_list_2", response=[10, 20])]
    return Case(Agent(scripted(*turns), output_type=output, retries=2))


class Row(BaseModel):
    name: str
    country: str


class NoTable(BaseModel):
    """Use it when the query cannot be changed so that it works."""

    explanation: str


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


def hand_off() -> Case:
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

    routes: Any = [hand_off_to_sql, NoTable]
    turns = (
        [call("final_result_hand_off_to_sql", "1", query="pets")],
        [call("final_result_hand_off_to_sql", "2", query="capitals")],
    )
    return Case(Agent(scripted(*turns), output_type=routes, instructions="Route.", retries=2))


def words() -> Case:
    def split(ctx: RunContext[Any], text: str) -> list[str]:
        return [f"step {ctx.run_step}", *text.split()]

    outputs: Any = [TextOutput(split), ToolOutput(City)]
    return Case(Agent(scripted([call("add", a=1, b=2)], "a good answer"), tools=[add], output_type=outputs))


def output_with_an_effect() -> Case:
    """An output function saves what it gets, once it is whole."""
    case = Case(Agent("test"))

    def save(ctx: RunContext[Any], record: Box) -> Box:
        if not ctx.partial_output:
            case.note(f"saved {record.width}")
        return record

    case.agent = Agent(scripted([call(FINAL, width=4, units="cm")]), output_type=save)
    return case


def bound_method() -> Case:
    """An output function that is a method, beside a type with retries of its own."""

    @dataclass
    class Desk:
        clerk: str

        def file(self, title: str) -> str:
            if title == "?":
                raise ModelRetry("a title, please")
            return f"{title} by {self.clerk}"

    desk: Any = Desk("Ann")
    outputs: Any = [ToolOutput(desk.file, name="file", max_retries=3), ToolOutput(City, name="city")]
    turns = [call("file", "1", title="?")], [call("city", "2", name="Ur")], [call("file", "3", title="Letter")]
    return Case(Agent(scripted(*turns), output_type=outputs, retries={"output": 2}))


def prepared_outputs() -> Case:
    """Output tools that the model gets only from the second step on, with another description."""

    async def later(ctx: RunContext[Any], tools: list[ToolDefinition]) -> list[ToolDefinition]:
        return [replace(one, description=f"step {ctx.run_step}") for one in tools if ctx.run_step > 1]

    agent = Agent(
        scripted([call("add", a=1, b=2)], [call(FINAL, name="Ur", people=3)]),
        tools=[add],
        output_type=ToolOutput(City, description="The city."),
        capabilities=[PrepareOutputTools(later)],
    )
    return Case(agent)


def native_union() -> Case:
    kinds: Any = NativeOutput([City, Box], name="found", description="What was found.")
    turns = (
        [call("add", a=1, b=2)],
        '{"result": {"kind": "City", "data": {"name": "Ur"}}}',
        '{"result": {"kind": "Box", "data": {"width": 2, "units": "m"}}}',
    )
    return Case(Agent(scripted(*turns), tools=[add], output_type=kinds, retries=2))


def prompted_with_a_template() -> Case:
    output: Any = PromptedOutput(Box, template="Answer by this schema: {schema}")
    turns = "```json\n{}\n```", '{"width": 2, "units": "m"}'
    return Case(Agent(scripted(*turns), output_type=output, instructions="Extract."))


class Checked(BaseModel):
    """A value whose bound the run's dependencies say."""

    x: int

    @field_validator("x")
    @classmethod
    def grown(cls, value: int, info: ValidationInfo) -> int:
        if value > (info.context or 0):
            raise ValueError(f"at most {info.context}")
        return value + (info.context or 0)


def validation_context() -> Case:
    agent = Agent(
        scripted([call("take", checked={"x": 1})], [call(FINAL, "1", x=11)], [call(FINAL, "2", x=2)]),
        output_type=Checked,
        deps_type=int,
        validation_context=lambda ctx: ctx.deps,
    )

    @agent.tool_plain
    def take(checked: Checked) -> int:
        return checked.x

    return Case(agent, deps=10)


def query_checked_by_a_database() -> Case:
    """An asynchronous validator that asks a dependency."""
    kinds: Any = [Row, NoTable]
    turns = (
        [call("final_result_Row", "1", name="Rome", country="Atlantis")],
        [call("final_result_Row", "2", name="Rome", country="Italy")],
    )
    agent = Agent(scripted(*turns), output_type=kinds, deps_type=set[str])

    @agent.output_validator
    async def known(ctx: RunContext[set[str]], output: Any) -> Any:
        if isinstance(output, Row) and output.country not in ctx.deps:
            raise ModelRetry(f"{output.country} is not known after {ctx.retry}")
        return output

    return Case(agent, deps={"Italy"})


def number_or_nothing() -> Case:
    """A model that says by a tool that there is no output."""

    def answer(_: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return ModelResponse([call(info.output_tools[-1].name, "1", response=None)])

    output: Any = [int, float, None]
    return Case(Agent(FunctionModel(answer), output_type=output))


def image() -> Case:
    """A picture that the model makes is the output."""

    def answer(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        if not any(isinstance(one, ModelResponse) for one in messages):
            return ModelResponse([TextPart("One moment.")])
        return ModelResponse([TextPart("Here."), FilePart(BinaryImage(b"\x89PNG", media_type="image/png"))])

    model = FunctionModel(answer, profile=ModelProfile(supports_image_output=True))
    return Case(Agent(model, output_type=BinaryImage, retries=2))


class Profile(TypedDict):
    name: str
    born: NotRequired[date]
    balance: NotRequired[Decimal]


def typed_dictionary() -> Case:
    """Types that JSON does not have."""
    made = call(FINAL, name="Ben", born="1990-01-28", balance="1.50")
    return Case(Agent(scripted([made]), output_type=Profile))


@dataclass
class Seat:
    row: int
    letter: Literal["A", "B"]


def dataclass_or_literal() -> Case:
    outputs: Any = [Seat, ToolOutput(Literal["none"], name="refuse")]
    turns = [call("final_result_Seat", "1", row=1, letter="Z")], [call("final_result_Seat", "2", row=1, letter="A")]
    return Case(Agent(scripted(*turns), output_type=outputs))


def exhaustive_outputs() -> Case:
    """Several outputs at once beside a call: all are made, and the first counts."""
    case = Case(Agent("test"))

    def save(name: str) -> str:
        case.note(f"saved {name}")
        return name

    turn = [call(FINAL, "1", name="one"), call("add", a=1, b=2), call(FINAL, "2", name="two")]
    case.agent = Agent(scripted(turn), tools=[add], output_type=save, end_strategy="exhaustive")
    return case


def empty_answers() -> Case:
    """An answer without anything, and one with thoughts alone: the model is asked again."""
    turns: Any = [], [ThinkingPart("Hm.")], "here"
    return Case(Agent(scripted(*turns), retries=3))


OUTPUTS = cases_in(globals())
