"""A whole job whose model says its text while it makes it: what is in the stream, and what is not streamed."""

import json
from dataclasses import replace
from typing import Any

import pytest
from pydantic import BaseModel

from baton import Agent, Call, Registry, ScriptedModel, tool
from baton.sdk.models.model import ModelAnswer, ModelError, ModelRequest
from tests.unit.baton.kit.stage import SETTINGS, Stage

SECRET = "op-key-0123456789"
OFTEN = replace(SETTINGS, stream_batch_ms=0, stream_batch_bytes=1, operations_api_key=SECRET)


@tool
def add(a: int, b: int) -> int:
    return a + b


class Sum(BaseModel):
    sum: int


class Talker:
    name, reads_history = "talker", False

    def __init__(self, *pieces: str, failures: int = 0) -> None:
        self._pieces, self._failures = pieces, failures

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        for piece in self._pieces if request.listener else ():
            assert request.listener is not None
            await request.listener.write(piece)
        self._failures -= 1
        if self._failures >= 0:
            raise ModelError("overloaded", retryable=True)
        return ModelAnswer("".join(self._pieces), output_tokens=len(self._pieces))


async def streamed(agent: Agent, settings: Any = OFTEN) -> tuple[Stage, list[dict[str, Any]]]:
    """The parts of a job of this agent, without its timeline's."""
    stage = Stage(settings=settings, registry=Registry([agent]))
    await stage.played(agent.name)
    parts = [json.loads(part) for part in (await stage.reader.parts("job_1", 0)).parts]
    return stage, [part for part in parts if part["type"] not in ("data-event", "data-usage")]


def types(parts: list[dict[str, Any]]) -> list[str]:
    kinds = [part["type"] for part in parts]
    return [kind for at, kind in enumerate(kinds) if kind != "text-delta" or kinds[at - 1] != kind]


def deltas(parts: list[dict[str, Any]]) -> list[str]:
    return [part["delta"] for part in parts if part["type"] == "text-delta"]


async def test_a_text_is_in_the_stream_in_batches_and_once() -> None:
    script: list[ModelAnswer | str] = [ModelAnswer("I add them.", (Call("add", {"a": 1, "b": 2}),)), "It is 3."]
    stage, parts = await streamed(Agent(name="a", model=ScriptedModel(script, pause_seconds=0.001), tools=[add]))
    assert types(parts) == [
        "start",
        *("start-step", "text-start", "text-delta", "text-end"),
        *("tool-input-available", "tool-output-available"),
        *("finish-step", "start-step", "text-start", "text-delta", "text-end", "finish-step"),
        "finish",
    ]
    assert deltas(parts) == ["I ", "add ", "them.", "It ", "is ", "3."]
    snapshot = await stage.snapshot()
    assert snapshot.usage.appends == 6
    assert snapshot.job.result == {"answer": "It is 3."}


async def test_an_attempt_that_fails_in_mid_text_is_named_and_the_next_one_says_its_own() -> None:
    _, parts = await streamed(Agent(name="a", model=Talker("It ", "is 3.", failures=1)))
    assert types(parts) == [
        "start",
        *("start-step", "text-start", "text-delta", "text-end", "data-retry", "finish-step"),
        *("start-step", "text-start", "text-delta", "text-end", "finish-step"),
        "finish",
    ]
    ids = [part["id"] for part in parts if part["type"] == "text-start"]
    assert len(set(ids)) == 2
    assert [part["data"] for part in parts if part["type"] == "data-retry"] == [{"textId": ids[0]}]


async def test_a_secret_that_is_cut_in_two_is_hidden() -> None:
    stage, parts = await streamed(Agent(name="a", model=Talker("The key is op-key-", "0123456789", ", ", "I think.")))
    assert "".join(deltas(parts)) == "The key is [redacted], I think."
    assert (await stage.snapshot()).job.result == {"answer": "The key is [redacted], I think."}


@pytest.mark.parametrize(
    ("agent", "settings"),
    [
        (Agent(name="a", model=Talker("It ", "is 3.")), replace(OFTEN, stream_batch_bytes=0)),
        (Agent(name="a", model=Talker('{"sum": ', "3}"), output_type=Sum), OFTEN),
        (Agent(name="a", model=Talker("It ", "is 3."), mode="plan", tools=[add]), OFTEN),
    ],
    ids=["switched off", "structured", "a planner's"],
)
async def test_what_is_not_streamed_comes_with_its_turn(agent: Agent, settings: Any) -> None:
    stage, parts = await streamed(agent, settings)
    assert (await stage.snapshot()).job.status == "completed"
    assert len(deltas(parts)) == 1
    assert (await stage.snapshot()).usage.appends == 0
