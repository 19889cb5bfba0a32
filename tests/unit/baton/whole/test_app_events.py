"""Events of your own, from their message to the jobs of their handlers, and to dead letters and replays."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import BaseModel

from baton import Agent, Call, Event, HandlerContext, Registry, ScriptedModel, ToolContext, ToolError, emit, on, tool
from baton.testing.asgi import Answer
from baton.testing.queue import callback_of
from baton_events.app_event import app_event, parse_app_event
from tests.unit.baton.kit.stage import BASE, Stage
from tests.unit.baton.server.api.client import ACME, ADMIN, Api, api_of, assert_problem, with_keys

PATH = "/api/events"
ORDER = {"number": "A-7", "total": 12.5}


class Order(BaseModel):
    number: str
    total: float


@on("order.packed", key_order=True)
async def pack(event: Event, ctx: HandlerContext) -> None:
    raise RuntimeError("the box is too small")


@on("order.sent", concurrency=2)
async def ship(event: Event, ctx: HandlerContext) -> None:
    """Do nothing, two at once."""


TYPED: list[tuple[str, Any]] = []


@on("order.edited", debounce_seconds=10)
async def save(event: Event, ctx: HandlerContext) -> None:
    TYPED.append((event.key, event.data))


class Shop:
    """Handlers that note what they did, and fail so often as a test says."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, Any]] = []
        self.failures = 0

    def registry(self) -> Registry:
        @on("order.created", schema=Order, retries=2)
        async def book(event: Event[Order], ctx: HandlerContext) -> str:
            self.taken.append((ctx.idempotency_key, event.data))
            if self.failures:
                self.failures -= 1
                raise RuntimeError("the shelf is empty")
            await emit("order.booked", {"number": event.data.number}, key=event.data.number)
            await ctx.start("writer", "Write to them.", input_data={"number": event.data.number})
            return event.data.number

        @on("order.created")
        def count(event: Event, ctx: HandlerContext) -> None:
            self.taken.append((f"count {ctx.attempt}", event.data["number"]))

        @on("order.booked")
        async def note(event: Event, ctx: HandlerContext) -> None:
            self.taken.append((f"note {ctx.attempt}", event.key))

        @on("order.lost")
        async def look(event: Event, ctx: HandlerContext) -> None:
            raise ToolError("nobody knows where it is")

        @on("order.twice", retries=1)
        async def twice(event: Event, ctx: HandlerContext) -> None:
            for _ in range(2):
                await ctx.emit("order.booked", {}, key="A-7")
            if self.failures:
                self.failures -= 1
                raise RuntimeError("once more")

        agents = [
            Agent(name="writer", model=ScriptedModel(["Dear customer"])),
            Agent(name="greeter", model=ScriptedModel(["Hello"]), on="order.booked", task="Greet them."),
        ]
        return Registry(agents, handlers=[book, count, note, look, twice, pack, ship, save])


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
async def api(shop: Shop) -> AsyncIterator[Api]:
    async with api_of(Stage(settings=with_keys(), registry=shop.registry())) as made:
        yield made


async def sent(api: Api, name: str = "order.created", **body: Any) -> str:
    response = await api.request("POST", PATH, ACME, json={"name": name, "data": ORDER, **body})
    assert response.status_code == 202, response.text
    return str(response.json()["id"])


async def shown(api: Api, event_id: str) -> dict[str, dict[str, Any]]:
    response = await api.request("GET", f"{PATH}/{event_id}", ACME)
    assert response.status_code == 200, response.text
    assert {"id", "name", "key", "data", "createdAt", "handlers"} == response.json().keys()
    return {each.pop("handler"): each for each in response.json()["handlers"]}


async def test_each_handler_takes_the_event_once(api: Api, shop: Shop) -> None:
    event_id = await sent(api)
    message_id, message = api.stage.queue.published[-1]
    assert message.url == f"{BASE}/workers/events/order.created"
    await api.stage.run()
    assert (await api.stage.deliver_app_event(message_id, message, 1)).status == 200
    await api.stage.run()
    assert [what for what in shop.taken if isinstance(what[1], str)] == [("count 1", "A-7"), ("note 1", "A-7")]
    assert [data for _, data in shop.taken if isinstance(data, Order)] == [Order(number="A-7", total=12.5)]
    handlers = (await shown(api, event_id)).items()
    assert {(name, each["status"], each["attempts"]) for name, each in handlers} == {
        ("book", "completed", 1),
        ("count", "completed", 1),
    }
    jobs = (await api.request("GET", "/api/agent-jobs", ACME)).json()["jobs"]
    assert sorted(job["jobType"] for job in jobs) == ["book", "count", "greeter", "note", "writer"]
    greeter, writer = (next(job for job in jobs if job["jobType"] == name) for name in ("greeter", "writer"))
    assert (greeter["taskDescription"], greeter["inputData"]) == ("Greet them.", {"number": "A-7"})
    assert (writer["taskDescription"], writer["inputData"]) == ("Write to them.", {"number": "A-7"})
    await sent(api)
    await api.stage.run()
    jobs = (await api.request("GET", "/api/agent-jobs", ACME)).json()["jobs"]
    assert len({job["sessionId"] for job in jobs if job["jobType"] == "writer"}) == 2


async def test_data_that_looks_like_a_reference_of_a_plan_reaches_its_handler(api: Api, shop: Shop) -> None:
    event_id = await sent(api, "order.booked", data={"$resultOf": {"step": "note"}}, key="A-7")
    await api.stage.run()
    assert shop.taken == [("note 1", "A-7")]
    assert {each["status"] for each in (await shown(api, event_id)).values()} == {"completed"}


async def test_a_handler_without_attempts_left_leaves_a_dead_letter_which_a_replay_runs_again(
    api: Api, shop: Shop
) -> None:
    shop.failures = 3
    event_id = await sent(api)
    await api.stage.run()
    book = (await shown(api, event_id))["book"]
    assert (book["status"], book["attempts"]) == ("failed", 3)
    assert "the shelf is empty" in book["error"]["message"]
    (letter,) = api.stage.records.dead.values()
    assert letter.message.url == f"{BASE}/workers/events/order.created"
    assert "the shelf is empty" in letter.answer
    replayed = await api.request("POST", f"/api/admin/messages/{letter.message.id}/replay", ADMIN)
    assert replayed.json()["sent"] is True
    await api.stage.run()
    assert (await shown(api, event_id))["book"]["status"] == "completed"
    assert [what for what, _ in shop.taken].count("count 1") == 1
    assert len({key for key, data in shop.taken if isinstance(data, Order)}) == 1


async def test_a_final_error_is_not_tried_again(api: Api) -> None:
    event_id = await sent(api, "order.lost")
    await api.stage.run()
    look = (await shown(api, event_id))["look"]
    assert (look["status"], look["attempts"], look["error"]["message"]) == ("failed", 1, "nobody knows where it is")
    await sent(api, "order.lost")
    await api.stage.run()
    letters = [name for each in api.stage.outgoing() if ".dead." in (name := each.deduplication_id)]
    assert (len(letters), len(set(letters))) == (2, 2)


async def test_two_effects_of_one_name_and_key_stay_two_in_each_attempt(api: Api, shop: Shop) -> None:
    shop.failures = 1
    event_id = await sent(api, "order.twice")
    await api.stage.run()
    assert (await shown(api, event_id))["twice"]["attempts"] == 2
    await sent(api, "order.twice")
    await api.stage.run()
    bodies = [message.body for _, message in api.stage.queue.published if message.url.endswith("order.booked")]
    ids = [parse_app_event(body.encode()).id for body in bodies]
    assert (len(ids), len(set(ids))) == (6, 4)
    assert [what for what in shop.taken if what[0].startswith("note")] == [("note 1", "A-7")] * 4


async def test_data_that_misfits_from_a_program_runs_no_handler_and_is_a_dead_letter(api: Api, shop: Shop) -> None:
    event = app_event("order.created", {"number": 7}, event_id="evt_1", tenant="acme", now_ms=api.stage.clock.now_ms())
    await api.stage.container.emitter.send(event)
    await api.stage.run()
    assert shop.taken == []
    (letter,) = api.stage.records.dead.values()
    assert (letter.status, "data.total" in letter.answer) == (489, True)
    found = await shown(api, "evt_1")
    assert {name: each["status"] for name, each in found.items()} == {"book": "failed", "count": "failed"}
    error = found["count"]["error"]
    assert (error["type"], "data.total" in error["message"]) == ("invalid_data", True)


async def test_an_idempotency_key_is_one_event(api: Api, shop: Shop) -> None:
    headers, body = {"idempotency-key": "k"}, {"name": "order.booked", "key": "A-7", "data": {}}
    first, again = [await api.request("POST", PATH, ACME, json=body, headers=headers) for _ in range(2)]
    assert first.json()["id"] == again.json()["id"]
    await api.stage.run()
    assert shop.taken == [("note 1", "A-7")]
    other = await api.request("POST", PATH, ACME, json={**body, "data": 1}, headers=headers)
    assert "use a new key" in assert_problem(other, 422)


async def test_what_cannot_be_taken_is_refused_by_its_field(api: Api) -> None:
    """And is no event; one that nobody takes is."""
    misfits = await api.request("POST", PATH, ACME, json={"name": "order.created", "data": {"number": "A-7"}})
    assert "book" in assert_problem(misfits, 422, "data.total")
    assert_problem(await api.request("POST", PATH, ACME, json={"name": "no name"}), 422, "name")
    assert_problem(await api.request("POST", PATH, ACME, json={"name": "a", "key": "k" * 201}), 422, "key")
    assert_problem(await api.request("POST", PATH, ACME, json={"name": "a", "data": "x" * 270_000}), 413)
    assert_problem(await api.request("GET", f"{PATH}/evt_none", ACME), 404)
    assert api.stage.queue.published == []
    response = await api.request("POST", PATH, ACME, json={"name": "nobody.cares"})
    assert (response.status_code, response.json()["handlers"]) == (202, 0)
    await api.stage.run()
    assert await shown(api, response.json()["id"]) == {}


async def test_events_of_one_key_are_taken_in_order_and_a_handler_takes_so_many_at_once(api: Api) -> None:
    events = [await sent(api, "order.packed", key=key) for key in ("A", "A", "B")]
    await api.stage.run(within_seconds=0)
    in_order = [(await shown(api, event_id))["pack"]["jobId"] for event_id in events]
    sessions = [(await api.read(job_id))["sessionId"] for job_id in in_order]
    assert sessions[0] == sessions[1] != sessions[2]
    lanes = [await sent(api, "order.sent", key=str(n)) for n in range(9)]
    await api.stage.run(within_seconds=0)
    found = [(await shown(api, event_id))["ship"]["jobId"] for event_id in lanes]
    assert len({(await api.read(job_id))["sessionId"] for job_id in found}) == 2


@pytest.mark.parametrize(("status", "outcome"), [(503, "1 handlers"), (0, "1 handlers"), (489, "kept for a person")])
async def test_the_failure_callback_of_an_event_does_what_its_endpoint_could_not(
    api: Api, status: int, outcome: str
) -> None:
    stage = api.stage
    event_id = await sent(api, "order.sent")
    message_id, message = stage.queue.published[-1]
    stage.queue.cancelled.append(message_id)
    last = Answer(status, [], b"") if status else None
    callback = callback_of(message_id, message, 3, last, stage.clock.now_ms())
    answer = await stage.deliver_app_event("callback", callback)
    assert json.loads(answer.body)["outcome"] == outcome
    await stage.run()
    kept = status == 489
    assert (await shown(api, event_id))["ship"]["status"] == ("pending" if kept else "completed")
    assert [notice.kind for notice in stage.alerts.sent] == ["app_event_kept"] * kept


async def test_of_events_that_come_one_after_the_other_the_last_one_counts(api: Api) -> None:
    TYPED.clear()
    for key, text in (("A", "a"), ("B", "b"), ("A", "ab"), ("A", "abc")):
        await sent(api, "order.edited", key=key, data=text)
        await api.stage.run(within_seconds=4)
        api.stage.clock.ms += 4_000
    assert TYPED == [("B", "b")]
    await api.stage.run()
    await sent(api, "order.edited", key="A", data="abcd")
    await api.stage.run()
    assert TYPED == [("B", "b"), ("A", "abc"), ("A", "abcd")]


async def test_of_old_events_that_come_after_an_outage_the_newest_counts(api: Api) -> None:
    """In whatever order they come."""
    TYPED.clear()
    for age_seconds in (100, 60, 300):
        created_ms = api.stage.clock.now_ms() - 1_000 * age_seconds
        event = app_event("order.edited", age_seconds, "A", event_id=f"e{age_seconds}", tenant="t", now_ms=created_ms)
        await api.stage.container.emitter.send(event)
        await api.stage.run(within_seconds=0)
        api.stage.clock.ms += 1_000
    await api.stage.run()
    assert TYPED == [("A", 60)]


@pytest.mark.parametrize("ahead_seconds", [-3_600, 3_600])
async def test_an_event_that_comes_long_after_another_one_is_taken_whenever_each_was_created(
    api: Api, ahead_seconds: int
) -> None:
    """The first one's clock is wrong, or the second one was delayed; a copy of the first one changes nothing."""
    TYPED.clear()
    for number, skew_seconds in enumerate((ahead_seconds, 0, -ahead_seconds)):
        created_ms = api.stage.clock.now_ms() + 1_000 * skew_seconds
        event = app_event("order.edited", str(number), "A", event_id=f"evt_{number}", tenant="acme", now_ms=created_ms)
        await api.stage.container.emitter.send(event)
        message_id, message = api.stage.queue.published[-1]
        await api.stage.run(within_seconds=4)
        api.stage.clock.ms += 8_000
        await api.stage.deliver_app_event(message_id, message, 1)
        await api.stage.run()
        api.stage.clock.ms += 60_000
    assert TYPED == [("A", "0"), ("A", "1"), ("A", "2")]


async def delivered(stage: Stage) -> int:
    """Deliver each message at once, as the queue does, until nothing is left; return how many there were."""
    number = 0
    for message_id, message in stage.queue.published:
        if message_id not in stage.queue.cancelled:
            await stage.deliver_app_event(message_id, message)
            number += 1
    return number


@pytest.mark.parametrize("fails", [False, True])
async def test_a_message_that_a_job_sends_is_paid_once(fails: bool) -> None:
    """As any other, at its first delivery: by the job that it starts, or as overhead. A dead letter is one, too."""

    @tool
    async def tell(ctx: ToolContext) -> None:
        await asyncio.wait_for(ctx.emit("order.told", {}), 5)

    @on("order.told", retries=0)
    async def take(event: Event, ctx: HandlerContext) -> None:
        if fails:
            raise ToolError("nobody listens")

    agent = Agent("a", model=ScriptedModel([[Call("tell")], "done"]), tools=[tell])
    stage = Stage(registry=Registry([agent], handlers=[take]))
    async with stage.container.metering.invocation():
        await stage.submit("a")
    messages = await delivered(stage)
    await stage.container.metering.flush()
    snapshots = [await stage.snapshot(name) for name in stage.store.trees]
    overhead = await stage.ports.counters.sums()
    assert len(snapshots) == 2
    for unit in ("messages", "deliveries"):
        paid = sum(getattr(snapshot.usage, unit) for snapshot in snapshots)
        assert paid + overhead.get(f"overhead:{unit}", 0) == messages, unit
