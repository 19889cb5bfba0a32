"""One event for many waiting jobs: its delivery hands pages of them on, each a message of its own."""

import json
from typing import Any

import pytest

from baton import Agent, Registry, ScriptedModel, wait_for_event
from baton.store.redis import keys
from baton.worker.runtime import app_events
from baton_events.ids import awaited_name
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import Api, api_of, with_keys
from tests.unit.baton.whole.test_waiting_calls import ASKS, paid, result, waiting


def waits() -> Stage:
    agent = Agent(name="waits", model=ScriptedModel([[ASKS], "done"]), tools=[wait_for_event])
    return Stage(settings=with_keys(max_concurrent_jobs=100), registry=Registry([agent]))


def told(api: Api) -> list[list[str]]:
    """The calls that copies of events tell, page by page."""
    bodies = [json.loads(message.body) for _, message in api.stage.queue.published if '"meets"' in message.body]
    return [body["meets"] for body in bodies]


@pytest.mark.parametrize(("count", "pages"), [(3, []), (4, [3, 1]), (10, [3, 2, 3, 2])])
async def test_pages_of_many_waiting_calls_are_messages_of_their_own(
    monkeypatch: pytest.MonkeyPatch, count: int, pages: list[int]
) -> None:
    """As many as one delivery takes are told by it; every job goes on, and none is told twice."""
    monkeypatch.setattr(app_events, "_PAGE_CALLS", 3)
    monkeypatch.setattr(app_events, "_READ_CALLS", 5)
    async with api_of(waits()) as api:
        jobs = [await waiting(api) for _ in range(count)]
        assert (await paid(api))["waiters"] == count
        assert [len(page) for page in told(api)] == pages
        assert len({call for page in told(api) for call in page}) == sum(pages)
        assert [await result(api, job_id) for job_id in jobs] == ["bank"] * count
        assert {(await api.read(job_id))["status"] for job_id in jobs} == {"completed"}
        assert (await paid(api, by="again"))["waiters"] == 0


async def test_the_delivery_of_an_event_for_ten_thousand_calls_does_hardly_more_than_hand_them_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each of their hundred messages has a hundred calls, so no delivery has more to do."""
    async with api_of(waits()) as api:
        stage, name = api.stage, keys.app_event_waits_key(awaited_name("acme", "order.paid", "A-7"))
        for number in range(10_000):
            stage.redis.run("ZADD", name, stage.clock.ms + 60_000, f"call_{number:024x}")
        answer = await api.request("POST", "/api/events", json={"name": "order.paid", "key": "A-7", "data": "bank"})
        assert answer.json()["waiters"] == 10_000
        message_id, message = next(sent for sent in stage.queue.published if sent[1].url.endswith("order.paid"))
        run, commands = stage.redis.run, list[str]()

        def counted(*words: str) -> Any:
            commands.append(words[0])
            return run(*words)

        monkeypatch.setattr(stage.redis, "run", counted)
        assert (await stage.deliver_app_event(message_id, message, 0)).status == 200
        assert 0 < len(commands) <= 30
        assert [len(page) for page in told(api)] == [100] * 100


async def test_a_page_that_comes_twice_ends_each_wait_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_events, "_PAGE_CALLS", 1)
    async with api_of(waits()) as api:
        jobs, stage = [await waiting(api) for _ in range(2)], api.stage
        await paid(api)
        for message_id, message in [sent for sent in stage.queue.published if '"meets"' in sent[1].body]:
            assert (await stage.deliver_app_event(message_id, message, 1)).status == 200
        await stage.run(within_seconds=60)
        assert [await result(api, job_id) for job_id in jobs] == ["bank", "bank"]
        for job_id in jobs:
            assert stage.store.tree(job_id).events.get(job_id, {}) == {}


async def test_waits_of_which_no_page_was_sent_are_told_by_the_next_delivery(monkeypatch: pytest.MonkeyPatch) -> None:
    """A delivery that dies behind its first pages leaves the others where they are."""
    monkeypatch.setattr(app_events, "_PAGE_CALLS", 1)
    monkeypatch.setattr(app_events, "_READ_CALLS", 2)
    async with api_of(waits()) as api:
        jobs, stage = [await waiting(api) for _ in range(4)], api.stage
        answer = await api.request("POST", "/api/events", json={"name": "order.paid", "key": "A-7", "data": "bank"})
        assert answer.status_code == 202
        met, deaths = stage.ports.app_events.met, [RuntimeError("the function dies")]

        async def dies(name: str, call_ids: tuple[str, ...]) -> None:
            if deaths:
                raise deaths.pop()
            await met(name, call_ids)

        monkeypatch.setattr(stage.ports.app_events, "met", dies)
        await stage.run(within_seconds=60)
        assert not deaths
        message_id, message = next(sent for sent in stage.queue.published if sent[1].url.endswith("order.paid"))
        assert (await stage.deliver_app_event(message_id, message, 1)).status == 200
        await stage.run(within_seconds=60)
        assert [await result(api, job_id) for job_id in jobs] == ["bank"] * 4
