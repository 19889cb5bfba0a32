"""What a tool may return: what its annotation says."""

from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from pydantic import BaseModel
from typing_extensions import TypedDict

from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.pending import Pending
from baton.sdk.tools.return_type import InvalidResult
from baton.sdk.tools.tool import tool

PENDING = Pending(timeout_seconds=1)


class Place(BaseModel):
    """An object."""

    name: str
    size: int = 1


class Row(TypedDict):
    name: str


@dataclass
class Point:
    x: int


class Unknown:
    """A class for which there is no schema."""


async def returned(annotation: Any, result: Any) -> Any:
    def give() -> Any:
        return result

    give.__annotations__["return"] = annotation
    return await tool(give).run({}, ToolContext.for_test())


@pytest.mark.parametrize(
    ("annotation", "result", "taken"),
    [
        (int, "3", 3),
        (str | None, None, None),
        (None, None, None),
        (list[str], ("a", "b"), ["a", "b"]),
        (Place, Place(name="Kew"), Place(name="Kew")),
        (Row, {"name": "x"}, {"name": "x"}),
        (Point, {"x": 1}, Point(1)),
        (Literal["a", "b"], "b", "b"),
        ("list[Place]", [{"name": "Kew"}], [Place(name="Kew")]),
        (Any, object, object),
    ],
)
async def test_what_fits_is_given_back_as_the_annotation_says(annotation: Any, result: Any, taken: Any) -> None:
    assert await returned(annotation, result) == taken


@pytest.mark.parametrize(
    ("annotation", "result", "fault"),
    [
        (int, "three", "valid integer"),
        (None, 1, "be None"),
        (dict[str, int], {"a": "secret-text"}, "a: "),
        (list[Row], [{"name": "a"}, {}], "1.name: field required"),
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


@pytest.mark.parametrize("annotation", [Unknown, "NotDefined", Iterable[int], AsyncIterator[int], int | Iterator[int]])
async def test_what_cannot_be_checked_is_not(annotation: Any) -> None:
    """And a wait is no result yet: it passes whatever the annotation says of the result."""
    result = [1]
    assert await returned(annotation, result) is result
    for waiting in (annotation, Pending, str | Pending, Place, None):
        assert await returned(waiting, PENDING) is PENDING


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
