"""Doors of durations that a program gives, and of results that never end."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from math import inf, isfinite, nan
from typing import Any
from unittest.mock import patch

from pydantic import BaseModel

from baton.engine.step_results import ToolFailed, ToolReturned
from baton.sdk.tools.context import ToolContext
from baton_events.values import json_value
from tests.unit.baton_events.test_durations import PLACES
from tests.values.odd import Box, Drawn
from tests.values.steps import tool_run

_WHOLE = (90, 600, timedelta(seconds=90), timedelta(minutes=1.5))
_SECONDS = (*_WHOLE, 1, 1.5, timedelta(milliseconds=2_500))
_NONE = (-1, -0.5, nan, inf, -inf, True, False, 1e300, 10**400, timedelta(days=-1), "5", "PT1H", [5])
_ITEMS_LIMIT = 50


async def a_duration(drawn: Drawn) -> None:
    """Every place reads a duration as a number, or refuses what is none by its name."""
    name, take = drawn.random.choice(PLACES)
    given = drawn.random.choice((*_SECONDS, *_NONE))
    taken: Any = None
    fault = ""
    try:
        taken = take(given)
    except (TypeError, ValueError) as error:
        fault = str(error)
    if fault:
        assert name in fault, (name, given)
        assert not any(given is one for one in _WHOLE), (name, given, fault)
        return
    assert not any(given is one for one in _NONE), (name, given)
    assert type(taken) in (int, float), (name, given)
    assert isfinite(taken), (name, given)


class Content(BaseModel):
    """A model that holds anything."""

    content: Any


class ReadTooFarError(Exception):
    """Nobody stops reading."""


class Endless(Iterator[int]):
    """Never ends, but for a test."""

    def __init__(self) -> None:
        self.at = 0

    def __next__(self) -> int:
        self.at += 1
        if self.at > 10 * _ITEMS_LIMIT:
            raise ReadTooFarError
        return self.at


async def an_endless_result(drawn: Drawn) -> None:
    """An iterator in a result is a list; one without an end fails its call."""
    ends = drawn.random.random() < 0.3
    value: Any = iter([1, 2]) if ends else drawn.random.choice((Endless(), map(str, Endless())))
    holders: list[Callable[[Any], Any]] = [
        lambda it: it,
        Box,
        lambda it: Content(content=it),
        lambda it: {"a": it},
        lambda it: [it],
    ]
    for _ in range(drawn.random.randrange(4)):
        value = drawn.random.choice(holders)(value)

    async def body(_: ToolContext) -> Any:
        return value

    with patch.object(json_value, "_ITEMS_LIMIT", _ITEMS_LIMIT):
        step_result = await tool_run(body)
    if ends:
        assert isinstance(step_result, ToolReturned), step_result
        assert "[1, 2]" in json.dumps(json.loads(step_result.result_json))
    else:
        assert isinstance(step_result, ToolFailed), step_result
        assert f"more than {_ITEMS_LIMIT} items" in step_result.failure.message
