"""Calls that servers stream under whatever index, id and name: each of them arrives as it was meant."""

import json
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from pydantic_ai import Agent

from baton.pydantic_ai import durable
from baton.sdk.agents.runner import JobInfo, Recorded
from tests.fakes.listener import FakeListener
from tests.unit.baton.sdk.models.through_pydantic_ai.provider_cases import GROQ, OPENAI_CHAT, ProviderCase
from tests.unit.baton.sdk.models.through_pydantic_ai.recorded_streams import chunk, unnamed
from tests.unit.baton.sdk.models.through_pydantic_ai.requesting import requesting

Calls = tuple[tuple[str, str], ...]
ONE: Calls = (("add", '{"a": 1, "b": {"c": 2}}'),)
SAME: Calls = (*ONE, ("add", '{"a": 3, "b": 4}'))
OTHERS: Calls = (*SAME, ("look", "{}"), ("find", '{"x": "}{"}'))
# What a later piece of a call has of its name, and of its id.
LATER: tuple[dict[str, Any], ...] = ({}, {"name": ""}, {"name": None}, {"name": True})
IDS = ("own", "own again", "new in each piece", "empty", "null")


def pieces(calls: Calls, size: int, *, numbered: bool, later: dict[str, Any], ids: str) -> Iterator[dict[str, Any]]:
    """Yield the chunks of the calls. `size`: of a piece of arguments; `numbered`: each call has an index of its own."""
    for at, (name, arguments) in enumerate(calls):
        texts = [arguments[begin : begin + size] for begin in range(0, len(arguments), size)]
        for piece, text in enumerate(texts):
            own_id = {"new in each piece": f"c{at}_{piece}", "empty": "", "null": None}.get(ids, f"c{at}")
            names = {"name": name} if not piece or later.get("name") is True else later
            call: dict[str, Any] = {"index": at if numbered else 0, "function": {**names, "arguments": text}}
            if not piece or ids in ("own again", "new in each piece", "empty"):
                call |= {"id": own_id, "type": "function"}
            yield chunk({"tool_calls": [call]})


async def found(case: ProviderCase, *answers: list[dict[str, Any]]) -> list[Calls]:
    with requesting(case) as requested:
        requested.streams(*(unnamed(*chunks, chunk({}, "tool_calls")) for chunks in answers))
        calls = [(await requested.answer(listener=FakeListener())).calls for _ in answers]
    return [tuple((call.tool, call.fault or json.dumps(call.arguments)) for call in one) for one in calls]


@pytest.mark.parametrize("case", [OPENAI_CHAT, GROQ], ids=lambda case: case.model)
async def test_each_call_arrives_however_its_pieces_are_numbered_and_named(case: ProviderCase) -> None:
    forms = list(product((ONE, SAME, OTHERS), (5, 100), (True, False), LATER, IDS))
    sent = [list(pieces(*form[:2], numbered=form[2], later=form[3], ids=form[4])) for form in forms]
    for form, calls in zip(forms, await found(case, *sent), strict=True):
        assert calls == form[0], form


async def test_calls_without_arguments_are_told_apart_by_their_ids() -> None:
    calls = [
        {"index": 0, "id": f"c{at}", "type": "function", "function": {"name": "look", "arguments": ""}}
        for at in range(3)
    ]
    forms = [chunk({"tool_calls": calls})], [chunk({"tool_calls": [one]}) for one in calls]
    assert await found(OPENAI_CHAT, *forms) == [(("look", "{}"),) * 3] * 2


async def test_a_durable_agent_gets_them_too() -> None:
    agent: Agent[None, str] = Agent(OPENAI_CHAT.model, name="a")

    @agent.tool_plain
    def add(a: int, b: int) -> int:
        return a + b

    runner = durable(agent).runner
    assert runner is not None
    sent = [*pieces((SAME[1],) * 2, 100, numbered=False, later={}, ids="own"), chunk({}, "tool_calls")]
    with requesting(OPENAI_CHAT) as requested:
        requested.streams(unnamed(*sent))
        record = Recorded(JobInfo(job_id="job_1", session_id="s", tenant="t", task="Add."))
        turn = await runner.turn(record, FakeListener())
    assert [(call.tool, call.arguments) for call in turn.answer.calls] == [("add", {"a": 3, "b": 4})] * 2
