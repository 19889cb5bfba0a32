"""The demo model's answer in the form that an agent asks for."""

from enum import StrEnum
from typing import Any

import pytest
from pydantic import BaseModel, Field

from baton.models.demo.model import DemoModel
from baton.models.demo.moves import output_arguments
from baton.models.model import ModelError, ModelMessage, ModelRequest, PastCall, ToolMessage, ToolSpec, UserMessage


class Mood(StrEnum):
    """How it is said."""

    CALM = "calm"
    ANGRY = "angry"


class Author(BaseModel):
    """Who."""

    name: str
    age: int = Field(ge=18)


class Report(BaseModel):
    """What."""

    summary: str
    sources: list[str]
    author: Author
    mood: Mood
    certain: bool
    ratio: float
    title: str | None
    others: list[Author]
    note: str = "none"


def test_every_required_field_gets_a_value_of_its_type() -> None:
    """Texts the answer, lists of texts the sources; what has a default is left out."""
    arguments = output_arguments(Report.model_json_schema(), "It is.", ["a.md"])
    assert "note" not in arguments
    report = Report.model_validate(arguments)
    assert (report.summary, report.sources, report.title) == ("It is.", ["a.md"], "It is.")
    assert (report.author.age, report.mood, report.certain, report.others) == (18, Mood.CALM, False, [])


@pytest.mark.parametrize(
    "schema", [{}, {"type": "object"}, {"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}}]
)
def test_a_schema_without_fields_gives_nothing(schema: dict[str, Any]) -> None:
    """Also one that leads nowhere."""
    assert output_arguments(schema, "x", []) == {}


OUTPUT = ToolSpec("final_result", "The answer.", Report.model_json_schema())


async def test_the_final_answer_is_a_call_of_the_final_tool() -> None:
    """Once there is nothing else to do."""
    answer = await DemoModel().answer(ModelRequest("", (UserMessage("Who kept the light?"),), (), 1, output=OUTPUT))
    (call,) = answer.calls
    assert (call.tool, answer.text) == ("final_result", "")
    assert "I was given no tool" in call.arguments["summary"]


async def test_an_answer_that_did_not_fit_is_not_given_again() -> None:
    """It would not fit the second time, and the job would go on to its limits."""
    call = PastCall("c0", "final_result", {})
    fault = ToolMessage("c0", "final_result", {"type": "invalid_output", "message": "no"}, is_error=True)
    found = (UserMessage("Who?"), ModelMessage("", (call,)), fault)
    with pytest.raises(ModelError, match="no other answer of the form that is asked for: final_result: no") as caught:
        await DemoModel().answer(ModelRequest("", found, (), 2, output=OUTPUT))
    assert not caught.value.retryable
