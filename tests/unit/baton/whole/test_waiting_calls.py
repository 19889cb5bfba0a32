"""Tool calls that wait: for the outcome of an operation, for a time, for an event of the tenant, for jobs below."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import structs

from baton import Agent, Call, Limits, Pending, Registry, ScriptedModel, ToolContext, sleep, tool, wait_for_event
from baton.engine.all_jobs.slots import TOMBSTONE_MS, QueueEntry
from baton.engine.commit.answers import SignalResult
from baton.engine.transitions import CallStatus, JobStatus
from baton.engine.waits import status_and_wait
from baton.engine.work_items import ItemKind
from baton.sdk.tools.pending import ChildTask
from baton.store.redis import keys
from baton.worker.runtime import app_events
from baton_events.ids import awaited_name
from baton_events.schema import Completion, ToolPayload
from baton_events.values.durations import LONGEST_SECONDS
from tests.unit.baton.kit.stage import SETTINGS, Stage
from tests.unit.baton.server.api.client import ACME, OTHER, Api, api_of, with_keys

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
        job = structs.replace(self.job("waits"), limits=limits or Limits())
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


async def test_a_waiting_job_holds_no_slot_and_says_what_it_waits_for() -> None:
    stage = Waiting()
    await stage.started()
    snapshot = await stage.snapshot()
    status, line = status_and_wait(snapshot.job, snapshot.items, snapshot.slot_state, stage.clock.ms)
    assert (status, line) == (JobStatus.WAITING, "the outcome of tool order, until 2027-01-15T09:00:00.000Z")
    assert (stage.entry().slot, (await stage.only_call())[1]) == (False, CallStatus.WAITING)


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
    stage.store.write("job_1", structs.replace(tree, calls={}, items=turns))
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
    assert call.error.type == "unrecordable"


LATER = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({}, ValueError),
        ({"timeout_seconds": -1}, ValueError),
        ({"timeout_seconds": 10**12}, ValueError),
        ({"timeout_seconds": 1, "until": LATER}, ValueError),
        ({"until": LATER.replace(tzinfo=None)}, ValueError),
        ({"timeout_seconds": 1, "event": 7}, TypeError),
        ({"timeout_seconds": 1, "event": "paid", "key": 7}, TypeError),
        ({"timeout_seconds": 1, "key": "A-7"}, ValueError),
        ({"timeout_seconds": 10**12, "child": ChildTask(agent="adds", task="")}, ValueError),
    ],
)
def test_a_wait_without_a_proper_end_is_refused(wrong: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match="Pending"):
        Pending(**wrong)


@pytest.mark.parametrize(("now_ms", "until_ms"), [(0, LONGEST_SECONDS * 1000), (17 * 10**11, 1_777_593_600_000)])
def test_a_wait_until_a_time_ends_then_and_no_later_than_ten_years(now_ms: int, until_ms: int) -> None:
    wait = Pending(until=LATER)
    assert wait.until_ms(now_ms) == until_ms
    assert wait.until_ms(2 * 10**12) == 2 * 10**12


ASKS = Call("wait_for_event", {"name": "order.paid", "key": "A-7", "timeout_seconds": 600})
ASKS_AGAIN = Call("wait_for_event", {**ASKS.arguments, "key": "A-8"})


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    turns = {"waits": [[ASKS]], "twice": [[ASKS], [ASKS_AGAIN]], "both": [[ASKS, ASKS, ASKS_AGAIN]]}
    models = {name: ScriptedModel([*calls, "done"]) for name, calls in turns.items()}
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


async def test_one_event_ends_all_waits_of_one_job(api: Api) -> None:
    """It does so once, even where its first delivery dies before it is noted that they are over."""
    stage, job_id = api.stage, await waiting(api, agent="both")
    failover = stage.redis.failover("baton:{app-event:")
    assert (await paid(api))["waiters"] == 2
    results = [call.get("result") for call in (await api.read(job_id))["toolCalls"]]
    assert results == ["bank", "bank", None]
    failover()
    message_id, message = next(sent for sent in stage.queue.published if sent[1].url.endswith("order.paid"))
    assert (await stage.deliver_app_event(message_id, message, 1)).status == 200
    assert stage.store.tree(job_id).events.get(job_id, {}) == {}
    await paid(api, "A-8")
    assert (await api.read(job_id))["status"] == "completed"


async def test_an_event_before_its_wait_is_kept(api: Api) -> None:
    await paid(api)
    await paid(api, by="again")
    assert await result(api, await waiting(api)) == "bank"


async def test_the_same_message_twice_ends_one_wait(api: Api) -> None:
    """Where its first delivery died before it was noted that the wait is over: nothing is left for a later wait."""
    stage, job_id = api.stage, await waiting(api, agent="twice")
    failover = stage.redis.failover("baton:{app-event:")
    await paid(api)
    failover()
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


@tool(retries=0)
async def ask(agent: str, task: str, ctx: ToolContext) -> Pending:
    return ctx.start(agent, task, {"from": ctx.job_id})


def asking(name: str, *asked: str, **fields: Any) -> Agent:
    calls = [Call("ask", {"agent": agent, "task": str(at)}) for at, agent in enumerate(asked)]
    return Agent(name=name, model=ScriptedModel([calls, "up"]), tools=[ask], **fields)


REGISTRY = Registry(
    [
        asking("supervisor", "helper", "failing"),
        asking("endless", "endless", limits=Limits(depth=2)),
        asking("lost", "x"),
        Agent(name="helper", model=ScriptedModel(["helped"])),
        Agent(name="failing", model=ScriptedModel([RuntimeError("no idea")]), model_retries=0),
    ]
)


async def error_of(stage: Stage, job_id: str = "job_1") -> Any:
    """With what the job's only call has failed."""
    snapshot = await stage.snapshot(job_id)
    (call,) = snapshot.calls
    assert call.status is CallStatus.FAILED
    return snapshot.results[call.id]["error"]


async def test_a_parent_that_only_waits_for_its_children_holds_no_slot() -> None:
    stage = Stage(registry=REGISTRY)
    await stage.submit("supervisor")
    seen: list[tuple[JobStatus, str | None]] = []

    async def look() -> None:
        snapshot = await stage.snapshot()
        if len(stage.store.tree("job_1").jobs) > 2 and not stage.entry().slot:
            seen.append(status_and_wait(snapshot.job, snapshot.items, snapshot.slot_state, stage.clock.ms))

    await stage.run(look)
    status, line = seen[0]
    assert status is JobStatus.WAITING
    assert line is not None
    assert line.startswith("job job_1.")


async def test_depth_is_limited() -> None:
    stage = Stage(registry=REGISTRY)
    assert (await stage.played("endless")).result == {"answer": "up"}
    jobs = sorted(stage.store.tree("job_1").jobs, key=len)
    assert [name.count(".") for name in jobs] == [0, 1, 2, 3]  # Limits(depth=3) of the root
    assert (await error_of(stage, jobs[-1]))["type"] == "too_deep"


async def test_an_unknown_agent_is_a_failure_of_the_call() -> None:
    stage = Stage(registry=REGISTRY)
    await stage.played("lost")
    assert "unknown agent 'x'; there are: endless, failing" in (await error_of(stage))["message"]


def test_a_childs_task_must_name_an_agent() -> None:
    with pytest.raises(ValueError, match="agent's name"):
        ToolContext.for_test().start("", "task")


async def test_a_child_that_a_failover_forgot_gives_its_slot_back() -> None:
    """Its root goes on without it, and nobody will ever say that it has ended."""
    stage = Stage(registry=REGISTRY)
    await stage.played("supervisor")
    forgotten, now_ms = "job_1.forgotten", stage.clock.ms
    await stage.admission.slot_request(forgotten, QueueEntry("acme", "s", 5, now_ms, 1, "slot"), now_ms)
    stage.clock.ms += TOMBSTONE_MS
    await stage.swept()
    assert stage.entry(forgotten).slot
    stage.clock.ms += 1
    await stage.swept()
    assert forgotten not in stage.admission.entries


async def test_in_place_a_timer_is_published_once_however_many_slots_are_given() -> None:
    """Its message is under way; each of the jobs below requests a slot, which is given, in the same run."""
    calls = [Call("sleep", {"seconds": 600}), *[Call("ask", {"agent": "helper", "task": str(n)}) for n in range(4)]]
    both = Agent(name="both", model=ScriptedModel([calls, "done"]), tools=[ask, sleep])
    settings = replace(SETTINGS, continuation="inline", max_concurrent_jobs=5)
    stage = Stage(registry=Registry([both, REGISTRY.agent("helper")]), settings=settings)
    assert (await stage.played("both")).status is JobStatus.COMPLETED
    payloads = [event.payload for event in stage.events()]
    assert [one.tool for one in payloads if isinstance(one, ToolPayload) and one.wait] == ["sleep"]


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
