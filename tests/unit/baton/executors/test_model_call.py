"""Calls of models within a turn: their time, and the cache before them."""

import asyncio

import pytest

from baton import Agent, ScriptedModel
from baton.executors.model_call import calls_of
from baton.models.model import ModelAnswer, ModelRequest, UserMessage
from tests.fakes.clock import FakeClock
from tests.fakes.model_cache import FakeModelCache
from tests.unit.baton.kit.listening import Listening

REQUEST = ModelRequest("", (UserMessage("do it"),), (), 1)


async def hang(_request: ModelRequest) -> ModelAnswer:
    await asyncio.Event().wait()
    raise AssertionError


def agent_with(cache_seconds: int = 0, timeout_seconds: float = 120) -> Agent:
    model = ScriptedModel(["done"])
    return Agent("a", model=model, cache_seconds=cache_seconds, model_timeout_seconds=timeout_seconds)


@pytest.mark.parametrize(
    ("work_limit_seconds", "timeout_seconds", "share"), [(0.01, 120, 1.0), (120, 0.01, 1.0), (120, 120, 0.0001)]
)
async def test_a_call_ends_with_the_first_of_its_limits(
    work_limit_seconds: float, timeout_seconds: float, share: float
) -> None:
    calls = calls_of(agent_with(timeout_seconds=timeout_seconds), "acme", work_limit_seconds, None)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            await calls.call(Listening(hang), REQUEST, share)


async def test_an_agent_without_cache_asks_no_cache() -> None:
    cache = FakeModelCache(FakeClock())
    answer = await calls_of(agent_with(), "acme", 10, cache).call(ScriptedModel(["done"]), REQUEST)
    assert (answer, cache.requests) == (ModelAnswer("done"), [])


async def test_an_agent_with_cache_reads_it_first_and_fills_it_post_commit() -> None:
    cache = FakeModelCache(FakeClock())
    model = ScriptedModel([ModelAnswer("done", (), 5, 5, 0.1)])
    calls = calls_of(agent_with(cache_seconds=60), "acme", 10, cache)
    assert await calls.call(model, REQUEST) == ModelAnswer("done", (), 5, 5, 0.1)
    assert cache.requests == ["get", "put"]
    assert await calls.call(model, REQUEST) == ModelAnswer("done", (), 5, 5, 0.1, cached=True)
    assert cache.requests == ["get", "put", "get"]


async def test_an_error_is_not_kept() -> None:
    cache = FakeModelCache(FakeClock())
    calls = calls_of(agent_with(cache_seconds=60), "acme", 10, cache)
    with pytest.raises(ValueError, match="no"):
        await calls.call(ScriptedModel([ValueError("no")]), REQUEST)
    assert cache.requests == ["get"]
