"""Answers with another value at each of their places: an answer, or a failure that says so and counts what was paid."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from baton.sdk.models.model import ModelAnswer, ModelError
from tests.fakes.listener import FakeListener
from tests.unit.baton.sdk.models.through_pydantic_ai.provider_cases import (
    ANTHROPIC,
    GROQ,
    OPENAI,
    PROVIDERS,
    ProviderCase,
)
from tests.unit.baton.sdk.models.through_pydantic_ai.recorded_streams import STREAMS, Recorded
from tests.unit.baton.sdk.models.through_pydantic_ai.requesting import Requested, requesting

GONE = object()
ODD: tuple[Any, ...] = (None, True, -1, 1.5, "", "x", "9" * 5_000, [], {}, [[]], [5], {"a": 1}, GONE)
Place = tuple[Any, ...]


def places(value: Any, place: Place = ()) -> Iterator[Place]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in inner:
        yield (*place, name)
        yield from places(item, (*place, name))


def put(body: Any, place: Place, odd: Any) -> Any:
    made = within = copy.deepcopy(body)
    for name in place[:-1]:
        within = within[name]
    if odd is GONE:
        del within[place[-1]]
    else:
        within[place[-1]] = odd
    return made


async def answered(requested: Requested, body: bytes, media: str, **more: Any) -> ModelAnswer | ModelError:
    headers = {"content-type": media}
    requested.route.mock(return_value=httpx.Response(200, content=body, headers=headers))
    try:
        return await requested.answer(**more)
    except ModelError as error:
        return error


@pytest.mark.filterwarnings("ignore")  # of the libraries, which keep what they do not know
@pytest.mark.parametrize("case", PROVIDERS, ids=lambda case: case.model)
async def test_a_whole_answer(case: ProviderCase) -> None:
    """Each place of it has a third of the odd values, and its neighbours have the others."""
    body = case.calls("I add.", [("add", '{"a": 1, "b": 2}')])
    with requesting(case) as requested:
        for at, place in enumerate(places(body)):
            for odd in ODD[at % 3 :: 3]:
                sent = json.dumps(put(body, place, odd)).encode()
                found = await answered(requested, sent, "application/json")
                if isinstance(found, ModelAnswer):
                    assert isinstance(found.text, str), (place, odd)
                    assert all(call.tool and isinstance(call.arguments, dict) for call in found.calls), (place, odd)
                else:
                    assert "Call(" not in found.message, (place, odd)
                    assert len(found.message) < 2_100, (place, odd)


@pytest.mark.parametrize("recorded", STREAMS, ids=lambda one: one.name)
async def test_a_stream_whose_models_name_is_none(recorded: Recorded) -> None:
    sent = b"".join(recorded.events).replace(f'"model": "{_name_in(recorded)}"'.encode(), b'"model": [5]')
    with requesting(recorded.case) as requested:
        await answered(requested, sent, "text/event-stream", listener=FakeListener())


def _name_in(recorded: Recorded) -> str:
    return b"".join(recorded.events).decode().partition('"model": "')[2].partition('"')[0]


@pytest.mark.parametrize(
    ("case", "place", "odd", "said"),
    [
        (GROQ, ("choices", 0, "message", "tool_calls", 0, "function", "name"), "", "a call names no tool, but ''"),
        (GROQ, ("choices", 0, "message", "tool_calls", 0, "function", "arguments"), 7, "of a call of 'add' are 7"),
        (ANTHROPIC, ("content", 1, "name"), {"a": 1}, "a call names no tool, but {'a': 1}"),
        (OPENAI, ("output", 0, "content", 0, "text"), 5, "a text is 5"),
    ],
)
async def test_what_is_no_call_or_no_text_is_said_and_counts(
    case: ProviderCase, place: Place, odd: Any, said: str
) -> None:
    body = put(case.calls("I add.", [("add", '{"a": 1, "b": 2}')]), place, odd)
    with requesting(case) as requested:
        found = await answered(requested, json.dumps(body).encode(), "application/json")
    assert isinstance(found, ModelError)
    assert (said in found.message, found.retryable, found.unanswered) == (True, True, False)
    assert (found.spent.input_tokens, found.spent.output_tokens) == (100, 10)
