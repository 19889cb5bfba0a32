"""Model calls that their provider makes in the background: the job waits without compute and looks now and then."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import respx

from baton import Agent, Budget, Registry, tool
from baton.engine.transitions import JobStatus
from baton.sdk.agents.registry import RegistryError
from baton.sdk.records.budget import amount_of
from baton.worker.runtime.job_view import job_view
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.sdk.models.through_pydantic_ai import openai_bodies as openai
from tests.unit.baton.sdk.models.through_pydantic_ai.provider_cases import ANTHROPIC, KEY, OPENAI

CALL = openai.response(openai.call_item(0, "add", '{"a": 1, "b": 2}'), background=True)
DONE = openai.response(openai.text_item("It is 3."), background=True)


@tool
def add(a: int, b: int) -> int:
    return a + b


class Provider:
    def __init__(self, mocked: respx.MockRouter) -> None:
        self.begun: list[dict[str, Any]] = []
        self.looks: list[str] = []
        self.cancelled: list[str] = []
        self.finds: list[httpx.Response] = []
        self.keys: set[str] = set()
        mocked.post(OPENAI.url).mock(side_effect=self._begin)
        mocked.get(url__regex=rf"{OPENAI.url}/resp_\d+").mock(side_effect=self._look)
        mocked.post(url__regex=rf"{OPENAI.url}/resp_\d+/cancel").mock(side_effect=self._cancel)

    def _begin(self, request: httpx.Request) -> httpx.Response:
        self.begun.append(json.loads(request.content))
        self.keys.add(request.headers["authorization"])
        queued = openai.response(id=f"resp_{len(self.begun)}", status="queued", background=True)
        return httpx.Response(200, json=queued)

    def _look(self, request: httpx.Request) -> httpx.Response:
        self.looks.append(request.url.path.rpartition("/")[2])
        working = openai.response(id=self.looks[-1], status="in_progress", background=True)
        return self.finds.pop(0) if self.finds else httpx.Response(200, json=working)

    def _cancel(self, request: httpx.Request) -> httpx.Response:
        self.cancelled.append(request.url.path.split("/")[-2])
        return httpx.Response(200, json={})

    def finishes(self, *bodies: dict[str, Any]) -> None:
        """Find these at the next looks."""
        self.finds += [httpx.Response(200, json=body) for body in bodies]


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for case in (OPENAI, ANTHROPIC):
        monkeypatch.setenv(case.key_variable, KEY)


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    with respx.mock(assert_all_called=False) as mocked:
        yield Provider(mocked)


async def submitted(**more: Any) -> Stage:
    """A stage with a job of an agent whose provider works in the background."""
    made: dict[str, Any] = {"name": "a", "model": OPENAI.model, "tools": [add], "offload": "provider", **more}
    stage = Stage(registry=Registry([Agent(**made)]))
    await stage.submit("a")
    return stage


async def test_a_job_is_answered_by_what_its_looks_find(provider: Provider) -> None:
    stage = await submitted()
    began_ms, looks_ms = stage.clock.ms, list[int]()

    async def look() -> None:
        if len(looks_ms) < len(provider.looks):
            looks_ms.append(stage.clock.ms - began_ms)

    await stage.run(look, within_seconds=100)
    assert (looks_ms[:4], looks_ms[-1] - looks_ms[-2]) == ([2_000, 4_000, 8_000, 16_000], 30_000)
    assert "works on" in str(job_view(await stage.snapshot(), stage.clock.now_ms())["waitingFor"])
    assert ((await stage.now()).status, stage.entry().slot) == (JobStatus.PROCESSING, False)
    provider.finishes(CALL, DONE)
    await stage.run()
    shown = job_view(await stage.snapshot(), stage.clock.now_ms())
    assert (shown["status"], shown["result"]) == ("completed", {"answer": "It is 3."})
    usage = shown["usage"]
    assert (usage["inputTokens"], usage["outputTokens"], usage["modelCalls"]) == (200, 20, 2)
    assert usage["costUsd"] > 0
    assert [(body["background"], body["store"]) for body in provider.begun] == [(True, True)] * 2
    assert provider.keys == {f"Bearer {KEY}"}
    assert not any(KEY in message.body for message in stage.outgoing())
    assert KEY not in repr(stage.store.trees)


async def test_a_budget_is_held_from_the_request_to_the_answer(provider: Provider) -> None:
    """Over all looks, each of which knows what was reserved."""
    stage = await submitted(budgets=[Budget("k", usd=1, reserve=0.5)])
    assert stage.ports.budgets is not None
    await stage.run(within_seconds=100)
    (row,), _ = await stage.ports.budgets().rows("k")
    assert (row.spent, row.reserved, len(provider.looks) > 4) == (0, 500_000, True)
    provider.finishes(DONE)
    await stage.run()
    (row,), _ = await stage.ports.budgets().rows("k")
    assert (row.spent, row.reserved) == (amount_of("usd", (await stage.now()).used.cost_usd), 0)
    assert row.spent > 0


@pytest.mark.parametrize("wait", [{"Retry-After": "40"}, {"Retry-After": "40.5"}, {"Retry-After-Ms": "40000"}])
async def test_a_look_that_fails_is_followed_by_another(provider: Provider, wait: dict[str, str]) -> None:
    stage = await submitted()
    slow = httpx.Response(429, json=openai.refusal(429, "Slow down."), headers=wait)
    provider.finds = [httpx.Response(503), slow]
    provider.finishes(DONE)
    began_ms = stage.clock.ms
    await stage.run()
    assert (await stage.now()).status is JobStatus.COMPLETED
    assert (len(provider.begun), len(provider.looks)) == (1, 3)
    assert stage.clock.ms - began_ms >= 40_000


@pytest.mark.parametrize(("code", "attempts"), [("server_error", 4), ("invalid_prompt", 1)])
async def test_a_response_that_fails_counts_as_a_direct_failure(provider: Provider, code: str, attempts: int) -> None:
    stage = await submitted()
    error = {"code": code, "message": "Out of order."}
    provider.finishes(*[openai.response(status="failed", error=error, background=True)] * attempts)
    await stage.run()
    job = await stage.now()
    assert job.error is not None
    assert "Out of order." in job.error.message
    assert len(provider.begun) == attempts


async def test_a_response_that_takes_too_long_is_stopped(provider: Provider) -> None:
    stage = await submitted(model_settings={"timeout": 60})
    await stage.run()
    job = await stage.now()
    assert job.error is not None
    assert "the provider had no answer within 60 s" in job.error.message
    assert provider.cancelled == [f"resp_{number}" for number in range(1, len(provider.begun) + 1)]


async def test_a_response_that_is_unknown_is_begun_anew(provider: Provider) -> None:
    """By another attempt, unless the provider says that nothing helps."""
    stage = await submitted(model=[OPENAI.model, OPENAI.model])
    provider.finds = [httpx.Response(500)] * 60
    await stage.run(within_seconds=61)
    provider.finds = []
    provider.finishes(DONE)
    await stage.run()
    assert (await stage.now()).status is JobStatus.COMPLETED
    assert len(provider.begun) == 2


async def test_another_process_looks_after_a_crash(provider: Provider) -> None:
    stage = await submitted()
    await stage.run(within_seconds=5)
    stage.restart()
    provider.finishes(DONE)
    await stage.run()
    assert (await stage.now()).status is JobStatus.COMPLETED
    assert len(provider.begun) == 1


async def test_a_look_without_a_key_is_a_failure(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process, after a deploy, may lack it."""
    stage = await submitted()
    await stage.run(within_seconds=1)
    monkeypatch.delenv(OPENAI.key_variable)
    stage.restart(Registry([Agent(name="a", model=OPENAI.model, tools=[add], offload="provider")]))
    await stage.run()
    job = await stage.now()
    assert job.error is not None
    assert OPENAI.key_variable in job.error.message
    assert (len(provider.begun), provider.looks) == (1, [])


def test_a_provider_without_background_mode_is_refused() -> None:
    with pytest.raises(RegistryError, match=r"has no background mode: name models as .* openai, openai-responses"):
        Registry([Agent(name="a", model=ANTHROPIC.model, offload="provider")])
