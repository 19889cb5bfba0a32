"""Answers that are kept: the same question is answered from the cache, any other is not, and no outage matters."""

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest

from baton.sdk.models import answer_cache
from baton.sdk.models.answer_cache import CACHED_LIMIT_BYTES, AnswerCache
from baton.sdk.models.model import (
    Call,
    ModelAnswer,
    ModelMessage,
    ModelRequest,
    PastCall,
    ToolMessage,
    ToolSpec,
    UserMessage,
)
from baton.sdk.models.scripted import ScriptedModel
from baton_events.errors import StoreError
from tests.fakes.clock import FakeClock
from tests.fakes.stored import FakeModelCache, FakeRedis

MODEL = ScriptedModel(["done"])
ANSWER = ModelAnswer("I look", (Call("read", {"path": "é"}), Call("list")), 100, 20, 0.5)


def request_of(job: str = "job_1", **changes: Any) -> ModelRequest:
    calls = (PastCall(f"{job}-1-0-a", "read", {"n": 1}), PastCall(f"{job}-1-1-a", "read", {"n": 2}))
    results = (ToolMessage(f"{job}-1-0-a", "read", "one"), ToolMessage(f"{job}-1-1-a", "read", {"two": 2}))
    messages = (UserMessage("do it", {"a": 1}), ModelMessage("I read", calls), *results)
    return replace(ModelRequest("be kind", messages, (ToolSpec("read", "Read.", {}),), 2), **changes)


def kept_in(cache: FakeModelCache, tenant: str = "acme", agent: str = "reader") -> AnswerCache:
    return AnswerCache(cache, tenant, agent, 60)


@pytest.fixture
def clock() -> FakeClock:
    """Stands still until told."""
    return FakeClock()


@pytest.fixture
def cache(clock: FakeClock) -> FakeModelCache:
    return FakeModelCache(FakeRedis(clock))


async def test_the_same_question_of_another_job_is_answered(cache: FakeModelCache) -> None:
    await kept_in(cache).keep(MODEL, request_of("job_1"), ANSWER)
    found = await kept_in(cache).lookup(MODEL, request_of("job_2"))
    assert found == replace(ANSWER, cached=True)


async def test_an_answer_with_a_secret_in_its_calls_is_not_kept(cache: FakeModelCache) -> None:
    """A tool's password is in the store while the call is open, and nowhere else."""
    answer = replace(ANSWER, calls=(Call("log_in", {"user": {"password": "hunter2"}}),))
    await kept_in(cache).keep(MODEL, request_of(), answer)
    assert await kept_in(cache).lookup(MODEL, request_of()) is None


async def test_an_answer_is_kept_for_its_time_only(cache: FakeModelCache, clock: FakeClock) -> None:
    await kept_in(cache).keep(MODEL, request_of(), ANSWER)
    clock.ms += 59_999
    assert await kept_in(cache).lookup(MODEL, request_of())
    clock.ms += 1
    assert await kept_in(cache).lookup(MODEL, request_of()) is None


MESSAGES = request_of().messages


OTHERS: dict[str, dict[str, Any]] = {
    "turn": {"turn": 3},
    "schema": {"tools": (ToolSpec("read", "Read.", {"type": "object"}),)},
    "task": {"messages": (UserMessage("do that", {"a": 1}), *MESSAGES[1:])},
    "result": {"messages": (*MESSAGES[:-1], ToolMessage("job_1-1-1-a", "read", {"two": 3}))},
    "exchanged": {"messages": (*MESSAGES[:2], ToolMessage("job_1-1-1-a", "read", "one"), MESSAGES[2])},
}


@pytest.mark.parametrize("name", OTHERS)
async def test_another_question_is_another_question(cache: FakeModelCache, name: str) -> None:
    await kept_in(cache).keep(MODEL, request_of(), ANSWER)
    assert await kept_in(cache).lookup(MODEL, request_of(**OTHERS[name])) is None


@pytest.mark.parametrize("other", [{"tenant": "other"}, {"agent": "other"}])
async def test_nobody_is_given_what_others_asked(cache: FakeModelCache, other: dict[str, str]) -> None:
    """Nor what another model was asked; how long somebody waits is no part of the question."""
    await kept_in(cache).keep(MODEL, request_of(time_limit_seconds=3.0), ANSWER)
    assert await kept_in(cache, **other).lookup(MODEL, request_of()) is None
    model = ScriptedModel(["done"])
    model.name = "other"
    assert await kept_in(cache).lookup(model, request_of()) is None
    assert await kept_in(cache).lookup(MODEL, request_of(time_limit_seconds=2.0))


async def test_an_outage_of_the_cache_is_a_miss(cache: FakeModelCache) -> None:
    await kept_in(cache).keep(MODEL, request_of(), ANSWER)
    cache.connection.down = StoreError("gone")
    assert await kept_in(cache).lookup(MODEL, request_of()) is None
    await kept_in(cache).keep(MODEL, request_of(), ANSWER)
    assert cache.connection.sent == ["SET", "GET", "SET"]


async def test_a_cache_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model could have answered meanwhile."""
    monkeypatch.setattr(answer_cache, "TIMEOUT_SECONDS", 0.01)
    kept = AnswerCache(Silent(), "acme", "reader", 60)
    await kept.keep(MODEL, request_of(), ANSWER)
    assert await kept.lookup(MODEL, request_of()) is None


class Garbage(FakeModelCache):
    text = ""

    async def get(self, tenant: str, key: str) -> str | None:
        await super().get(tenant, key)
        return self.text


@pytest.mark.parametrize("text", ["no json", "[]", '{"text": 3}', '{"calls": [{"tool": ""}]}', "null"])
async def test_what_is_no_answer_is_a_miss(text: str) -> None:
    """Written by another version, or by somebody else."""
    cache = Garbage()
    cache.text = text
    assert await kept_in(cache).lookup(MODEL, request_of()) is None


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        pytest.param({}, ModelAnswer("x" * CACHED_LIMIT_BYTES), id="large"),
        pytest.param({}, ModelAnswer(calls=(Call("read", {"n": float("nan")}),)), id="nan"),
        pytest.param({}, ModelAnswer("half a pair \ud800"), id="surrogate"),
        pytest.param({}, ModelAnswer(cast("str", None)), id="no text"),
        pytest.param({}, cast("ModelAnswer", {"text": "no record"}), id="no answer"),
        pytest.param({"settings": {"n": float("inf")}}, ANSWER, id="a question that is no JSON"),
    ],
)
async def test_what_is_too_large_or_no_answer_is_not_kept(
    cache: FakeModelCache, question: dict[str, Any], answer: ModelAnswer
) -> None:
    """No request for it: a model that is asked again may do better."""
    await kept_in(cache).keep(MODEL, request_of(**question), answer)
    assert cache.connection.sent == []
    assert await kept_in(cache).lookup(MODEL, request_of(**question)) is None


class Silent:
    async def get(self, tenant: str, key: str) -> str | None:
        await asyncio.Event().wait()
        raise AssertionError((tenant, key))

    async def put(self, tenant: str, key: str, text: str, seconds: int) -> None:
        await asyncio.Event().wait()
        raise AssertionError((tenant, key, text, seconds))
