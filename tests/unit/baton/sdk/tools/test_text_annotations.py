"""Tools in modules whose annotations are text (`from __future__ import annotations`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from baton.sdk.tools.arguments import InvalidArguments
from baton.sdk.tools.tool import tool

if TYPE_CHECKING:
    from decimal import Decimal

    from baton.sdk.tools.context import ToolContext


class Place(BaseModel):
    """A type of this module."""

    name: str


@tool
async def visit(place: Place, nights: int, ctx: ToolContext) -> Decimal:
    """Visit."""
    return [place, nights, ctx.call_id]  # type: ignore[return-value]  # pyright: ignore[reportReturnType]


async def test_text_annotations_are_resolved() -> None:
    """The context too, whose import linters move under TYPE_CHECKING; the return type may stay unresolved."""
    from baton.sdk.tools.context import ToolContext  # noqa: PLC0415 - the module imports it for type checkers only

    assert set(visit.parameters["properties"]) == {"place", "nights"}
    result: Any = await visit.run({"place": {"name": "Kew"}, "nights": "2"}, ToolContext.for_test())
    assert result == [Place(name="Kew"), 2, "call-test"]


def test_names_of_the_enclosing_function_are_resolved() -> None:
    class Local(BaseModel):
        size: int

    @tool
    def grow(local: Local) -> int:
        return local.size

    @tool(name="shrink")
    def shrink(local: Local) -> int:
        return local.size

    for each in (grow, shrink):
        each.check({"local": {"size": "3"}})
        with pytest.raises(InvalidArguments):
            each.check({"local": {"size": "many"}})
