"""What a tool may return: what its annotation says."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from pydantic import BaseModel
from typing_extensions import TypedDict

from baton.tools.context import ToolContext
from baton.tools.pending import Pending
from baton.tools.return_type import InvalidResult
from baton.tools.tool import tool

PENDING = Pending(timeout_seconds=1)


class Place(BaseModel):
    """An object."""

    name: str
    size: int = 1


class Row(TypedDict):
    """A plain object."""

    name: str


@dataclass
class Point:
    """Another one."""

    x: int


class Unknown:
    """A class for which there is no schema."""


async def returned(annotation: Any, result: Any) -> Any:
    """What a tool with this annotation is taken to have returned."""

    def give() -> Any:
        return result

    give.__annotations__["return"] = annotation
    return await tool(give).run({}, ToolContext.for_test())


@pytest.mark.parametrize(
    ("annotation", "result", "taken"),
    [
        (int, 3, 3),
        (int, "3", 3),
        (float, 3, 3.0),
        (str | None, None, None),
        (None, None, None),
        (list[str], ("a", "b"), ["a", "b"]),
        (dict[str, int], {"a": 1}, {"a": 1}),
        (Place, {"name": "Kew"}, Place(name="Kew")),
        (Place, Place(name="Kew"), Place(name="Kew")),
        (Row, {"name": "x"}, {"name": "x"}),
        (Point, {"x": 1}, Point(1)),
        (Literal["a", "b"], "b", "b"),
        ("list[Place]", [{"name": "Kew"}], [Place(name="Kew")]),
        (Any, object, object),
    ],
)
async def test_what_fits_is_given_back_as_the_annotation_says(annotation: Any, result: Any, taken: Any) -> None:
    """Plain data for a model is a model, a number in a text is a number."""
    assert await returned(annotation, result) == taken


@pytest.mark.parametrize(
    ("annotation", "result", "fault"),
    [
        (int, "three", "valid integer"),
        (str, None, "valid string"),
        (None, 1, "be None"),
        (dict[str, int], {"a": "secret-text"}, "a: "),
        (Place, {"size": 1}, "name: field required"),
        (list[Row], [{"name": "a"}, {}], "1.name: field required"),
        (Literal["a"], "b", "be 'a'"),
        (str | Pending, 5, "valid string"),
        (Pending, {"timeout_seconds": 1}, "annotated to return Pending"),
    ],
)
async def test_what_does_not_fit_is_named_but_not_shown(annotation: Any, result: Any, fault: str) -> None:
    """The value may be long, or secret."""
    with pytest.raises(InvalidResult, match="tool 'give'") as caught:
        await returned(annotation, result)
    assert fault in str(caught.value)
    assert "secret-text" not in str(caught.value)


@pytest.mark.parametrize("annotation", [Pending, str, str | Pending, Place, None, int | str | Pending])
async def test_a_wait_is_no_result_yet_and_passes(annotation: Any) -> None:
    """Whatever the annotation says of the result."""
    assert await returned(annotation, PENDING) is PENDING


@pytest.mark.parametrize(
    "annotation",
    [
        Unknown,
        "NotDefined",
        object,
        Iterator[int],
        Iterable[int],
        AsyncIterator[int],
        int | Iterator[int],
        Callable[[], int] | Unknown,
    ],
)
async def test_what_cannot_be_checked_is_not(annotation: Any) -> None:
    """No promise is made up, and an iterator is not used up."""
    result = [1]
    assert await returned(annotation, result) is result


async def test_a_tool_without_an_annotation_may_return_anything() -> None:
    """As may one that is called directly."""

    @tool
    async def bare():  # type: ignore[no-untyped-def]  # noqa: ANN202 - that is the point
        """Give something."""
        return {"a": 1}

    @tool
    def wrong() -> int:
        """Give what was not promised."""
        return "text"  # type: ignore[return-value]  # pyright: ignore[reportReturnType]

    assert await bare.run({}, ToolContext.for_test()) == {"a": 1}
    assert wrong() == "text"  # type: ignore[comparison-overlap]
