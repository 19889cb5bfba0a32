"""`wait_for_event(name, key=…)`: a wait that an event of the tenant ends, whoever has sent it."""

import copy
from collections.abc import AsyncIterator
from typing import Any

import pytest

from baton import Agent, Call, Pending, Registry, ScriptedModel, wait_for_event
from tests.unit.baton.api.client import ACME, OTHER, Api, api_of, with_keys
from tests.unit.baton.kit.stage import Stage

ASKS = Call("wait_for_event", {"name": "order.paid", "key": "A-7", "timeout_seconds": 600})
ASKS_AGAIN = Call("wait_for_event", {**ASKS.arguments, "key": "A-8"})


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    models = {"waits": ScriptedModel([[ASKS], "done"]), "twice": ScriptedModel([[ASKS], [ASKS_AGAIN], "done"])}
    agents = [Agent(name=name, model=model, tools=[wait_for_event]) for name, model in models.items()]
    async with api_of(Stage(settings=with_keys(), registry=Registry(agents))) as made:
        yield made


async def waiting(api: Api, key: str = ACME, agent: str = "waits") -> str:
    job_id = str((await api.submitted(key, jobType=agent))["id"])
    await api.stage.run(within_seconds=0)
    return job_id


async def paid(api: Api, key: str = "A-7", principal: str = ACME, by: str = "bank") -> dict[str, Any]:
    response = await api.request("POST", "/api/events", principal, json={"name": "order.paid", "key": key, "data": by})
    assert response.status_code == 202, response.text
    await api.stage.run(within_seconds=60)
    answer: dict[str, Any] = response.json()
    return answer


async def result(api: Api, job_id: str, key: str = ACME) -> Any:
    return (await api.read(job_id, key))["toolCalls"][0].get("result")


async def test_one_event_ends_all_waits_for_its_name_and_key(api: Api) -> None:
    jobs, other = [await waiting(api), await waiting(api)], await waiting(api, OTHER)
    assert "order.paid A-7" in (await api.read(jobs[0]))["waitingFor"]
    assert (await paid(api, "A-8"))["waiters"] == 0
    assert [await result(api, job_id) for job_id in jobs] == [None, None]
    assert (await paid(api))["waiters"] == 2
    assert [await result(api, job_id) for job_id in jobs] == ["bank", "bank"]
    assert await result(api, other, OTHER) is None
    assert (await paid(api, by="again"))["waiters"] == 0
    assert [(await api.read(job_id))["status"] for job_id in jobs] == ["completed", "completed"]


async def test_an_event_before_its_wait_is_kept(api: Api) -> None:
    await paid(api)
    await paid(api, by="again")
    assert await result(api, await waiting(api)) == "bank"


async def test_the_same_message_twice_ends_one_wait(api: Api) -> None:
    """Where its first delivery died before it was noted that the wait is over: nothing is left for a later wait."""
    stage, job_id = api.stage, await waiting(api, agent="twice")
    noted = copy.deepcopy(stage.app_events.waits)
    await paid(api)
    stage.app_events.waits = noted
    message_id, message = next(sent for sent in stage.queue.published if sent[1].url.endswith("order.paid"))
    assert (await stage.deliver_app_event(message_id, message, 1)).status == 200
    await stage.run(within_seconds=60)
    assert "order.paid A-8" in (await api.read(job_id))["waitingFor"]
    assert stage.store.tree(job_id).events.get(job_id, {}) == {}


async def test_without_an_event_its_time_ends_it(api: Api) -> None:
    job_id = await waiting(api)
    await api.stage.run()
    assert await result(api, job_id) == {"timedOut": True}


def test_a_key_belongs_to_an_event() -> None:
    for wrong in (Pending, lambda **given: Pending(event="order.paid", **{**given, "key": "k" * 201})):
        with pytest.raises(ValueError, match="beside an event"):
            wrong(timeout_seconds=1, key="A-7")
