"""What every page says of a job alike: its name, why and where it has failed, its failed calls, how long it took."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from baton import Agent, Call, Registry, ScriptedModel, tool, workflow
from baton.sdk.planning.step import Step
from baton.sdk.tools.tool_error import ToolError
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import with_keys
from tests.unit.baton.server.console.operator import Operator, operator_of

PRICES = {"lamp": 20}
HERE = "console/test_what_pages_say_of_a_job.py, line"
PAYS = 'raise ToolError(f"no money for {euros}", type="card_declined")'


@tool(retries=0)
async def price(item: str) -> int:
    return PRICES[item]


@tool(retries=0)
async def pay(euros: int) -> int:
    raise ToolError(f"no money for {euros}", type="card_declined")


@workflow
async def order(item: str) -> int:
    return await price(item)


@workflow
async def orders(item: str) -> tuple[int, int]:
    return await asyncio.gather(price("lamp"), price(item))


@workflow
async def passed() -> int:
    """Pass on what a step raises."""
    return await pay(7)


@workflow
async def late(days: int) -> int:
    return PRICES[str(days)]


@workflow
async def bare() -> int:
    return PRICES["sofa"]


# Of each agent's job: its task and input, its name in lists, what pages say of its failure, and the line of that.
JOBS = {
    "planned": ("Ask for a sofa", {}, "Ask for a sofa", "step 'price' failed: KeyError: 'sofa'", "return PRICES[item]"),
    "paying": ("Buy", {}, "Buy", "step 'pay' failed: card_declined: no money for 7", PAYS),
    "passed": ("", {}, "passed", "card_declined: no money for 7", PAYS),
    "order": ("", {"item": "sofa"}, "sofa", "KeyError: 'sofa'", "return PRICES[item]"),
    "orders": ("", {"item": "sofa"}, "sofa", "KeyError: 'sofa'", "return PRICES[item]"),
    "late": ("", {"days": 3}, "late: days 3", "KeyError: '3'", "return PRICES[str(days)]"),
    "bare": ("", {}, "bare", "KeyError: 'sofa'", 'return PRICES["sofa"]'),
}
LINES = Path(__file__).read_text(encoding="utf-8").splitlines()
RAISED_IN = {"return PRICES[item]": "price of ", PAYS: "pay of "}
KINDS = {"paying": "card_declined", "passed": "card_declined"}


@pytest.fixture
async def desk() -> AsyncIterator[Operator]:
    """A console over a job of each kind that has failed."""
    agents = [
        Agent(name="planned", plan=[Step("price", price, {"item": "sofa"})]),
        Agent(name="paying", plan=[Step("pay", pay, {"euros": 7})]),
    ]
    stage = Stage(settings=with_keys(), registry=Registry(agents, workflows=[order, orders, passed, late, bare]))
    async with operator_of(stage) as operator:
        for name, (task, data, *_) in JOBS.items():
            await operator.api.submitted(jobType=name, taskDescription=task, inputData=data)
            stage.clock.ms += 1
        await stage.run(within_seconds=60)
        yield operator


def text_of(markup: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", markup.split("<main")[1]).replace("&#39;", "'").split())


@pytest.mark.parametrize("name", JOBS)
async def test_a_failure_is_told_with_its_class_and_place(desk: Operator, name: str) -> None:
    """In the head of its page, in lists, and on the page that retries what its card shows; a card names its jobs."""
    *_, title, words, code = JOBS[name]
    here = f"{HERE} {LINES.index(f'    {code}') + 1}"
    listed = await desk.see(f"/console/jobs?status=failed&jobType={name}")
    [job_id] = re.findall(r'<tr id="row-(job_\w+)"', listed)
    row = listed[listed.index(f'id="row-{job_id}"') :]
    head = (await desk.see(f"/console/jobs/{job_id}")).split('id="head"')[1].split("</p>")[0]
    overview = await desk.see("/console")
    newest = overview[overview.index("Newest jobs") :]
    for text in (row, head, newest):
        assert "card_declined: card_declined" not in text
        assert f"{words} at {here}" in text_of(f"<main{text}")
    [retry] = re.findall(r'href="([^"]*action=retry[^"]*)">Retry all …', listed)
    for card in (listed, await desk.see(retry.replace("&amp;", "&"))):
        told = text_of(card)
        assert f"{KINDS.get(name, 'KeyError')} in {RAISED_IN.get(code, '')}{name} at {here}" in told
        assert f'<a href="/console/jobs/{job_id}">{title}</a>' in card
        assert job_id not in told.partition("Status Task")[0]


@tool(requires_approval=True)
async def refund(euros: int) -> int:
    return euros


@workflow
async def refunds() -> int:
    return await refund(7)


@pytest.mark.parametrize("name", ["planned", "refunds"])
async def test_what_a_person_has_rejected_is_no_error_and_names_the_person(name: str) -> None:
    registry = Registry([Agent(name="planned", plan=[Step("one", refund, {"euros": 7})])], workflows=[refunds])
    async with operator_of(Stage(settings=with_keys(), registry=registry)) as operator:
        job = f"/console/jobs/{(await operator.api.submitted(jobType=name))['id']}"
        await operator.stage.run(within_seconds=60)
        [asked] = set(re.findall(r'action="(/console/approvals/[^"]+)/reject"', await operator.see(job)))
        await operator.done(f"{asked}/reject", reason="Refunded yesterday")
        await operator.stage.run(within_seconds=60)
        head = (await operator.see(job)).split('id="head"')[1].split("</section>")[0]
        assert "operators rejected refund: Refunded yesterday" in head
        for page in (head, await operator.see("/console"), await operator.see("/console/jobs?status=failed")):
            assert re.search('rejected</span> <a|class="pill s-rejected"', page)
            assert not re.search(
                'class="(?!num bad)[^"]*(bad|error|s-failed|broken)["-]|step_failed|Retry all …|call failed', page
            )


async def test_a_job_that_completed_in_spite_of_failed_calls_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of an earlier run do not count."""
    calls = [Call("price", {"item": item}) for item in ("sofa", "lamp")]
    agent = Agent(name="clerk", model=ScriptedModel([calls, "I do not know."]), tools=[price])
    async with operator_of(Stage(settings=with_keys(), registry=Registry([agent]))) as operator:
        job = f"/console/jobs/{(await operator.api.submitted(jobType='clerk'))['id']}"
        await operator.stage.run(within_seconds=60)
        for path in ("/console", "/console/jobs", job):
            assert "1 call failed" in await operator.see(path)
        monkeypatch.setitem(PRICES, "sofa", 90)
        await operator.done(f"{job}/retry", **{"from": "start"})
        await operator.stage.run(within_seconds=60)
        for path in ("/console", "/console/jobs", job):
            assert "call failed" not in await operator.see(path)


async def test_a_duration_is_one_number_which_counts_from_the_last_retry_on(desk: Operator) -> None:
    """In lists, on its page and in its picture. The time between a failure and the retry is no time in a queue."""
    listed = await desk.see("/console/jobs?jobType=planned")
    [job_id] = re.findall(r'id="row-(job_\w+)"', listed)
    assert "since its retry" not in listed
    desk.stage.clock.ms += 90_000
    await desk.done(f"/console/jobs/{job_id}/retry", **{"from": "failure"})
    desk.stage.clock.ms += 1_500
    await desk.stage.run(within_seconds=60)
    page, listed = await desk.see(f"/console/jobs/{job_id}"), await desk.see("/console/jobs?jobType=planned")
    [took] = re.findall(r"took, since its retry</dt><dd>([^<]*)<", page)
    assert took == "1.5 s"
    assert f'class="num extra">{took}<span class="note dim">since its retry' in listed
    rows = page.split('class="waterfall"')[1].split("<aside")[0]
    assert re.findall(r'class="num">([^<]*)</i>', rows)[:1] == [took]
    assert not re.search("in the queue [0-9]+ min", rows)
    turn = await desk.see(f"/console/jobs/{job_id}/turns/1")
    assert f"2 attempts {took}</span>" in turn


@workflow
async def nap() -> None:
    await asyncio.sleep(3_700)


async def test_a_workflow_that_sleeps_says_until_when() -> None:
    async with operator_of(Stage(settings=with_keys(), registry=Registry(workflows=[nap]))) as desk:
        path = f"/console/jobs/{(await desk.api.submitted(jobType='nap'))['id']}"
        await desk.stage.run(within_seconds=1)
        for page in ("/console/jobs", path):
            assert re.search(r">sleeps until [0-9:]{5} UTC \(<time[^>]+>in 1 h</time>\)<", await desk.see(page)), page


async def test_what_a_workflow_refuses_is_said_at_its_input(desk: Operator) -> None:
    refused = await desk.do("/console/jobs/new", jobType="order", inputData='{"item": 7}')
    assert (refused.status_code, 'id="fault-inputData">' in refused.text) == (422, True)
