"""An app event in the console: its handlers' jobs lead to it, and it to them; so do dead letters."""

import re
from collections.abc import AsyncIterator

import pytest

from baton import Agent, Event, HandlerContext, Registry, ToolError, on
from baton.sdk.models.scripted import ScriptedModel
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import ACME, with_keys
from tests.unit.baton.server.console.operator import Operator, operator_of


@on("order.lost")
async def look(event: Event, ctx: HandlerContext) -> None:
    raise ToolError("nobody knows <where>")


@on("order.made", batch=(2, 60.0))
async def pack(events: list[Event], ctx: HandlerContext) -> None:
    """Pack two at once."""


@pytest.fixture
async def operator() -> AsyncIterator[Operator]:
    async with operator_of(Stage(settings=with_keys(), registry=Registry([], handlers=[look, pack]))) as made:
        yield made


async def _sent(operator: Operator, name: str) -> str:
    sent = await operator.api.request("POST", "/api/events", ACME, json={"name": name, "data": {"number": 7}})
    await operator.stage.run()
    return str(sent.json()["id"])


@pytest.mark.parametrize(
    ("sent", "named"),
    [
        ({"name": "order.lost", "key": "A-7", "data": {"number": "n"}}, "order.lost A-7"),
        ({"name": "order.lost", "data": {"total": 5, "number": "n-1"}}, "order.lost n-1"),
        ({"name": "order.made", "data": {"number": "A-8"}}, "order.made 1 events"),
        ({"name": "order.paid", "data": {"number": "A-9"}}, "Thank them. A-9"),
    ],
)
async def test_a_job_of_an_event_is_named_by_what_tells_it_from_the_others(sent: dict[str, object], named: str) -> None:
    clerk = Agent(name="clerk", model=ScriptedModel(["done"]), on="order.paid", task="Thank them.")
    stage = Stage(settings=with_keys(), registry=Registry([clerk], handlers=[look, pack]))
    async with operator_of(stage) as operator:
        await operator.api.request("POST", "/api/events", ACME, json=sent)
        await operator.stage.run(within_seconds=100)
        assert re.findall(r'"/console/jobs/job_\w+">([^<]+)<', await operator.see("/console/jobs")) == [named]


async def test_an_event_and_its_handlers_jobs_lead_to_each_other(operator: Operator) -> None:
    event_id = await _sent(operator, "order.lost")
    markup = await operator.see(f"/console/events/{event_id}")
    assert "nobody knows &lt;where&gt;" in markup
    (handled,) = (await operator.api.request("GET", f"/api/events/{event_id}", ACME)).json()["handlers"]
    assert f'href="/console/jobs/{handled["jobId"]}"' in markup
    assert f'<a href="/console/events/{event_id}">order.lost</a>' in await operator.see(
        f"/console/jobs/{handled['jobId']}"
    )
    listed = await operator.see("/console/jobs?q=order.lost&jobType=look")
    assert (f'id="row-{handled["jobId"]}"' in listed, '<option value="look" selected>' in listed) == (True, True)
    await operator.see("/console/events/evt_unknown", 404)


async def test_what_a_handler_has_started_and_sent_is_linked_from_the_event_and_from_the_handlers_job() -> None:
    """Jobs and events of a key, too, whoever was first."""

    @on("order.made")
    async def split(event: Event, ctx: HandlerContext) -> None:
        for task in ("first", "second"):
            await ctx.start("clerk", task)
        await ctx.start("clerk", "of one customer", once_for="customer-7")
        await ctx.emit("order.lost", key="7")
        await ctx.emit("order.paid", once_for="customer-7")

    clerk = Agent(name="clerk", model=ScriptedModel(["done"]))
    stage = Stage(settings=with_keys(), registry=Registry([clerk], handlers=[split, look]))
    async with operator_of(stage) as operator:
        sent, first = [], ""
        for event_id in [await _sent(operator, "order.made") for _ in range(2)]:
            (handled,) = (await operator.api.request("GET", f"/api/events/{event_id}", ACME)).json()["handlers"]
            links = [
                re.findall(r'href="/console/(jobs/job_\w+|events/\w+)"[^>]*>([\w.]+)</a>', await operator.see(path))
                for path in (f"/console/events/{event_id}", f"/console/jobs/{handled['jobId']}")
            ]
            own = {f"events/{event_id}", f"jobs/{handled['jobId']}"}
            of_event, of_job = [{path: text for path, text in each if path not in own} for each in links]
            assert of_event == of_job
            assert [text for text in of_event.values() if "order" in text] == ["order.lost", "order.paid"]
            assert len(of_event) == 5
            sent.append(set(of_event))
            first = first or f"jobs/{handled['jobId']}"
        job, event = sorted(sent[0] & sent[1], reverse=True)
        by = f'<a class="id" href="/console/{first}">'
        assert "of one customer" in (page := await operator.see(f"/console/{job}"))
        assert by in page
        assert "order.paid" in (page := await operator.see(f"/console/{event}"))
        assert f'<a href="/console/{first}">' in page
        assert "It has started" not in await operator.see(f"/console/{job}")


async def test_a_dead_letter_and_its_message_name_the_event_and_the_handler(operator: Operator) -> None:
    event_id = await _sent(operator, "order.lost")
    message_id = operator.stage.queue.published[-1][0]
    operator.stage.records.die(message_id)
    groups = re.findall(r"\?group=(\w+)", await operator.see("/console/dead-letters"))
    listed = [await operator.see(f"/console/dead-letters?group={group}") for group in groups]
    assert all(
        text in listed[0]
        for text in ("ToolError</span> in", ">look</a>", "test_event_page.py, line 17", "nobody knows")
    )
    for markup in ("".join(listed), await operator.see(f"/console/messages/{message_id}")):
        assert f'<a href="/console/events/{event_id}">order.lost</a>' in markup
        assert "look has failed" in markup


async def test_the_job_of_a_batch_names_what_it_handles(operator: Operator) -> None:
    """Its events are its input data; the batch itself is no event."""
    first = await _sent(operator, "order.made")
    await _sent(operator, "order.made")
    (handled,) = (await operator.api.request("GET", f"/api/events/{first}", ACME)).json()["handlers"]
    assert '<dt>event</dt><dd>order.made, <span class="id">batch_' in await operator.see(
        f"/console/jobs/{handled['jobId']}"
    )
