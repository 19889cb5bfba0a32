"""A tool gets exactly one validation of the JSON that was sent, whatever its types make of it."""

import json
from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from pydantic import AfterValidator, AliasChoices, AliasPath, Field, ValidationInfo

from baton.sdk.tools.arguments import InvalidArguments
from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.tool import Tool, tool
from tests.unit.baton.kit.typed_arguments import TYPED, Sent, taking

CONTEXT = ToolContext.for_test()


@given(TYPED)
@settings(max_examples=300)
def test_a_tool_gets_what_pydantic_makes_of_the_json(case: Sent) -> None:
    """A check before it, as at the model's request, leaves no trace in the JSON."""
    taken: list[Any] = []
    take, sent = taking("take", case.type, taken.append), json.dumps({"value": case.sent})
    arguments = json.loads(sent)
    take.check(arguments)
    assert json.dumps(arguments) == sent
    assert take.schema.to_keywords(arguments) == {"value": case.expected}
    assert json.dumps(arguments) == sent


def _names(value: int, info: ValidationInfo) -> str:
    return f"{info.field_name}={value}"


@tool
def renamed(
    a: Annotated[int, Field(alias="first")],
    b: Annotated[int, Field(validation_alias=AliasChoices("second", "zwei"))],
    c: Annotated[int, Field(validation_alias=AliasPath("third", 0))],
    d: Annotated[int, Field(exclude=True, serialization_alias="fourth")],
    e: Annotated[int, AfterValidator(_names)],
) -> list[Any]:
    """Take."""
    return [a, b, c, d, e]


@tool
def with_defaults(
    made: Annotated[list[int], Field(default_factory=lambda: [7])],
    fixed: Annotated[int, Field(default=3)],
    checked: Annotated[int, Field(validate_default=True), AfterValidator(lambda euros: euros * 100)] = 4,
    own: Annotated[int, AfterValidator(lambda euros: euros * 100)] = 4,
) -> list[Any]:
    """Take."""
    return [made, fixed, checked, own]


@pytest.mark.parametrize(
    ("item", "sent", "expected"),
    [
        (renamed, {"first": 1, "zwei": 2, "third": [3], "d": 4, "e": 5}, [1, 2, 3, 4, "e=5"]),
        (renamed, {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}, [1, 2, 3, 4, "e=5"]),
        (with_defaults, {}, [[7], 3, 400, 4]),
        (with_defaults, {"made": [], "fixed": 1, "checked": 1, "own": 1}, [[], 1, 100, 100]),
    ],
    ids=["by their aliases", "by their own names", "left out", "given"],
)
async def test_annotations_of_arguments_count_as_those_of_fields(
    item: Tool, sent: dict[str, Any], expected: list[Any]
) -> None:
    for made in (item, tool(item.function)):
        made.check(sent)
        assert await made.run(sent, CONTEXT) == expected


def test_the_schema_names_what_is_read() -> None:
    assert list(renamed.parameters["properties"])[:2] == ["first", "second"]
    assert with_defaults.parameters.get("required", []) == []
    with pytest.raises(InvalidArguments, match=r"f: is not an argument of this tool \(it has: first, second,"):
        renamed.check({"f": 1})


@pytest.mark.parametrize(
    "error",
    [KeyError("rate"), ZeroDivisionError("1 / 0"), RuntimeError("half \ud800"), SystemExit(3)],
    ids=["key", "division", "half a character", "exit"],
)
def test_a_validator_that_fails_is_a_fault_of_the_arguments(error: BaseException) -> None:
    """Whatever it raises: the model is told, and no step fails for it."""

    def convert(value: int) -> int:
        raise error

    @tool
    def pay(cents: Annotated[int, AfterValidator(convert)]) -> None:
        """Pay."""

    with pytest.raises(InvalidArguments, match=f"arguments: {type(error).__name__}: ") as caught:
        pay.check({"cents": 4})
    str(caught.value).encode()


async def test_a_tool_that_changes_what_it_is_given_changes_nothing_that_is_kept() -> None:
    """Its next attempt, and a question after it, begin with what the model sent."""

    @tool
    def use(options: dict[str, Any]) -> int:
        """Use."""
        return int(options["inner"].pop("n"))

    sent = {"options": {"inner": {"n": 1}}}
    assert [await use.run(sent, CONTEXT) for _ in range(2)] == [1, 1]
    assert sent == {"options": {"inner": {"n": 1}}}
