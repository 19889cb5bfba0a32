"""Answers that are kept: the same question is answered from the cache, any other is not, and no outage matters."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from baton.models import answer_cache
from baton.models.answer_cache import ANSWER_LIMIT_BYTES, AnswerCache
from baton.models.model import (
    Call,
    ModelAnswer,
    ModelMessage,
    ModelRequest,
    PastCall,
    ToolMessage,
    ToolSpec,
    UserMessage,
)
from baton.models.scripted import ScriptedModel
from baton_events.errors import StoreError
from tests.fakes.clock import FakeClock
from tests.fakes.model_cache import FakeModelCache

MODEL = ScriptedModel(["done"])
ANSWER = ModelAnswer("I look", (Call("read", {"path": "é"}), Call("list")), 100, 20, 0.5)


def request_of(job: str = "job_1", **changes: Any) -> ModelRequest:
    """The second turn of a job that read two files."""
    calls = (PastCall(f"{job}-1-0-a", "read", {"n": 1}), PastCall(f"{job}-1-1-a", "read", {"n": 2}))
    results = (ToolMessage(f"{job}-1-0-a", "read", "one"), ToolMessage(f"{job}-1-1-a", "read", {"two": 2}))
    messages = (UserMessage("do it", {"a": 1}), ModelMessage("I read", calls), *results)
    return replace(ModelRequest("be kind", messages, (ToolSpec("read", "Read.", {}),), 2), **changes)


def kept_in(cache: FakeModelCache, tenant: str = "acme", agent: str = "reader") -> AnswerCache:
    """The answers of an agent's jobs of the last minute."""
    return AnswerCache(cache, tenant, agent, 60)


@pytest.fixture
def clock() -> FakeClock:
    """Stands still until told."""
    return FakeClock()


@pytest.fixture
def cache(clock: FakeClock) -> FakeModelCache:
    """Empty."""
    return FakeModelCache(clock)


async def test_the_same_question_of_another_job_is_answered(cache: FakeModelCache) -> None:
    """Ids of calls differ between jobs; what was asked and found does not."""
    await kept_in(cache).keep(MODEL, request_of("job_1"), ANSWER)
    found = await kept_in(cache).lookup(MODEL, request_of("job_2"))
    assert found == replace(ANSWER, cached=True)


async def test_an_answer_with_a_secret_in_its_calls_is_not_kept(cache: FakeModelCache) -> None:
    """A tool's password is in the store while the call is open, and nowhere else."""
    answer = replace(ANSWER, calls=(Call("log_in", {"user": {"password": "hunter2"}}),))
    await kept_in(cache).keep(MODEL, request_of(), answer)
    assert await kept_in(cache).lookup(MODEL, request_of()) is None


async def test_an_answer_is_kept_for_its_time_only(cache: FakeModelCache, clock: FakeClock) -> None:
    """To the second."""
    await kept_in(cache).keep(MODEL, request_of(), ANSWER)
    clock.ms += 59_999
    assert await kept_in(cache).lookup(MODEL, request_of())
    clock.ms += 1
    assert await kept_in(cache).lookup(MODEL, request_of()) is None


MESSAGES = request_of().messages
OTHERS: dict[str, Callable[[], ModelRequest]] = {
    "instructions": lambda: request_of(instructions="be quick"),
    "turn": lambda: request_of(turn=3),
    "tools": lambda: request_of(tools=()),
    "schema": lambda: request_of(tools=(ToolSpec("read", "Read.", {"type": "object"}),)),
    "settings": lambda: request_of(settings={"temperature": 1}),
    "output": lambda: request_of(output=ToolSpec("final", "Answer.", {})),
    "task": lambda: request_of(messages=(UserMessage("do that", {"a": 1}), *MESSAGES[1:])),
    "data": lambda: request_of(messages=(UserMessage("do it", {"a": 2}), *MESSAGES[1:])),
    "result": lambda: request_of(messages=(*MESSAGES[:-1], ToolMessage("job_1-1-1-a", "read", {"two": 3}))),
    "results exchanged": lambda: request_of(
        messages=(
            *MESSAGES[:2],
            ToolMessage("job_1-1-1-a", "read", "one"),
            ToolMessage("job_1-1-0-a", "read", {"two": 2}),
        )
    ),
}


@pytest.mark.parametrize("name", OTHERS)
async def test_another_question_is_another_question(cache: FakeModelCache, name: str) -> None:
    """Whatever differs."""
    await kept_in(cache).keep(MODEL, request_of(), ANSWER)
    assert await kept_in(cache).lookup(MODEL, OTHERS[name]()) is None


async def test_how_long_somebody_waits_is_no_part_of_the_question(cache: FakeModelCache) -> None:
    """It depends on what the turn has done before."""
    await kept_in(cache).keep(MODEL, request_of(time_limit_seconds=3.0), ANSWER)
    assert await kept_in(cache).lookup(MODEL, request_of(time_limit_seconds=2.0))


@pytest.mark.parametrize("other", [{"tenant": "other"}, {"agent": "other"}])
async def test_nobody_is_given_what_others_asked(cache: FakeModelCache, other: dict[str, str]) -> None:
    """Neither another tenant nor another agent."""
    await kept_in(cache).keep(MODEL, request_of(), ANSWER)
    assert await kept_in(cache, **other).lookup(MODEL, request_of()) is None


async def test_another_model_is_asked_itself(cache: FakeModelCache) -> None:
    """By its name."""
    other = ScriptedModel(["done"])
    other.name = "other"
    await kept_in(cache).keep(MODEL, request_of(), ANSWER)
    assert await kept_in(cache).lookup(other, request_of()) is None


async def test_an_outage_of_the_cache_is_a_miss(cache: FakeModelCache) -> None:
    """For reading and for writing."""
    await kept_in(cache).keep(MODEL, request_of(), ANSWER)
    cache.down = StoreError("gone")
    assert await kept_in(cache).lookup(MODEL, request_of()) is None
    await kept_in(cache).keep(MODEL, request_of(), ANSWER)
    assert cache.requests == ["put", "get", "put"]


async def test_a_cache_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model could have answered meanwhile."""
    monkeypatch.setattr(answer_cache, "TIMEOUT_SECONDS", 0.01)

    class Silent:
        """Never answers."""

        async def get(self, tenant: str, key: str) -> str | None:
            """Wait."""
            await asyncio.Event().wait()
            raise AssertionError((tenant, key))

        async def put(self, tenant: str, key: str, text: str, seconds: int) -> None:
            """Wait."""
            await asyncio.Event().wait()
            raise AssertionError((tenant, key, text, seconds))

    kept = AnswerCache(Silent(), "acme", "reader", 60)
    await kept.keep(MODEL, request_of(), ANSWER)
    assert await kept.lookup(MODEL, request_of()) is None


@pytest.mark.parametrize("text", ["", "no json", "[]", '{"text": 3}', '{"calls": [{"tool": ""}]}', "null"])
async def test_what_is_no_answer_is_a_miss(cache: FakeModelCache, text: str) -> None:
    """Written by another version, or by somebody else."""

    class Garbage(FakeModelCache):
        """Gives the same text for everything."""

        async def get(self, tenant: str, key: str) -> str | None:
            """The text."""
            await super().get(tenant, key)
            return text

    assert await kept_in(Garbage(FakeClock())).lookup(MODEL, request_of()) is None
    assert cache.requests == []


@pytest.mark.parametrize(
    "answer",
    [
        ModelAnswer("x" * ANSWER_LIMIT_BYTES),
        ModelAnswer(calls=(Call("read", {"n": float("nan")}),)),
        ModelAnswer("half a pair \ud800"),
        ModelAnswer(cast("str", None)),
        cast("ModelAnswer", {"text": "no record"}),
    ],
    ids=["large", "nan", "surrogate", "no text", "no answer"],
)
async def test_what_is_too_large_or_no_answer_is_not_kept(cache: FakeModelCache, answer: ModelAnswer) -> None:
    """No request for it: a model that is asked again may do better."""
    await kept_in(cache).keep(MODEL, request_of(), answer)
    assert cache.requests == []


async def test_a_question_that_is_no_json_is_asked_of_the_model(cache: FakeModelCache) -> None:
    """It cannot be told from others."""
    request = request_of(messages=(UserMessage("do it", {"n": float("inf")}),))
    await kept_in(cache).keep(MODEL, request, ANSWER)
    assert await kept_in(cache).lookup(MODEL, request) is None
    assert cache.requests == []
