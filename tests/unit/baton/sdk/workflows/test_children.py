"""What a workflow returns is what the workflow gets that has started it."""

from typing import Any

import pytest

from baton import Registry, workflow
from baton.testing import Simulation


@workflow
async def nothing() -> None:
    """Return nothing."""


@workflow
async def any_value(value: Any) -> Any:
    return value


@workflow
async def maybe(value: str | None) -> str | None:
    return value


@workflow
async def above(value: Any) -> list[Any]:
    text = value if isinstance(value, str) else None
    begun: Any = nothing()
    return [await begun is None, await any_value(value) == value, await maybe(text) == text]


@pytest.mark.parametrize("value", [None, "", "null", "a", 0, False, [], {}, [None]], ids=repr)
async def test_nothing_is_told_from_an_empty_text(value: Any) -> None:
    simulation = Simulation(Registry(workflows=[above, nothing, any_value, maybe]))
    run = await simulation.run("above", "", input_data={"value": value})
    assert run.error is None
    assert run.result is not None
    assert run.result["output"] == [True, True, True]
