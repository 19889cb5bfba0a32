"""Tool calls that wait: for the outcome of an operation, for a time, or for an event of the tenant."""

import copy
from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec.structs import replace

from baton import Agent, Call, Limits, Pending, Registry, ScriptedModel, ToolContext, sleep, tool, wait_for_event
from baton.engine.commit.answers import SignalResult
from baton.engine.transitions import CallStatus, JobStatus
from baton.engine.work_items import ItemKind
from baton_events.schema import Completion
from tests.unit.baton.api.client import ACME, OTHER, Api, api_of, with_keys
from tests.unit.baton.kit.stage import Stage

MONTH_SECONDS = 30 * 86_400
OK: Any = {"ok": 7}


@tool(retries=0)
async def order(ctx: ToolContext) -> Pending:
    assert ctx.operation_id == f"op_{ctx.call_id}"
    return Pending(timeout_seconds=3_600)


@tool(retries=0)
async def impossible() -> Pending:
    """Wait with a result that is no JSON."""
    return Pending(timeout_seconds=1, otherwise=object())


class Waiting(Stage):
    """A job whose first turn makes a call."""

    def __init__(self, call: str = "order", **arguments: Any) -> None:
        model = ScriptedModel([[Call(call, arguments)], "done"])
        super().__init__(registry=Registry([Agent(name="waits", model=model, tools=[order, impossible, sleep])]))

    async def started(self, limits: Limits | None = None) -> str:
        """Up to the call's wait; the call's id."""
        job = replace(self.job("waits"), limits=limits or Limits())
        await self.container.commands.submit(job, {"text": "do it", "data": {}})
        await self.run(within_seconds=0)
        return (await self.only_call())[0]

    async def only_call(self) -> tuple[str, CallStatus, Any]:
        """The job's one call: id, status, stored result."""
        snapshot = await self.snapshot()
        (call,) = snapshot.calls
        return call.id, call.status, snapshot.results.get(call.id)

    async def completed(self, call_id: str) -> SignalResult:
        """The API takes an outcome in."""
        return await self.container.commands.signal(await self.now(), Completion(call_id=call_id, outcome=OK))


async def test_a_sleep_of_months_ends_at_its_time() -> None:
    stage = Waiting("sleep", seconds=3 * MONTH_SECONDS)
    began_ms = stage.clock.ms
    await stage.started(Limits(wall_seconds=4 * MONTH_SECONDS))
    assert not stage.entry().slot
    await stage.run()
    assert (await stage.only_call())[2] == {"ok": {"sleptSeconds": 3 * MONTH_SECONDS}}
    assert stage.clock.ms == began_ms + 3 * MONTH_SECONDS * 1000
    assert (await stage.now()).status is JobStatus.COMPLETED


async def test_an_outcome_of_a_call_that_was_forgotten_is_kept() -> None:
    """A failover forgot the call after whoever tells of it had read it: it is made again, and has come already."""
    stage = Waiting()
    call_id = await stage.started()
    tree = stage.store.tree("job_1")
    turns = {item.key: item for item in tree.items.values() if item.kind is ItemKind.LOOP}
    stage.store.write("job_1", replace(tree, calls={}, items=turns))
    assert await stage.completed(call_id) is SignalResult.EARLY
    assert await stage.completed(call_id) is SignalResult.AGAIN


async def test_a_backup_sends_an_outcome_a_second_time() -> None:
    stage = Waiting()
    call_id = await stage.started()
    before = stage.store.tree("job_1")
    await stage.completed(call_id)
    stage.store.write("job_1", before)
    await stage.run()
    assert await stage.only_call() == (call_id, CallStatus.COMPLETED, OK)


async def test_a_wait_whose_result_is_no_json_is_a_failure_of_the_tool() -> None:
    stage = Waiting("impossible")
    await stage.started()
    (call,) = await stage.calls()
    assert call.error is not None
    assert call.error.type == "result_not_serializable"


@pytest.mark.parametrize("wrong", [{}, {"timeout_seconds": -1}, {"timeout_seconds": 10**12}])
def test_a_wait_without_a_proper_end_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Pending"):
        Pending(**wrong)


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
