"""A deploy that lacks an agent whose jobs wait fails none of them, and says what is missing wherever people look."""

import asyncio
import re

import pytest

from baton import Agent, Registry, sleep, tool, workflow
from baton.engine.all_jobs.slots import QueueEntry
from baton.engine.transitions import JobStatus
from baton.sdk.models.model import Call
from baton.sdk.models.scripted import ScriptedModel
from baton.server.site import build_site
from baton.worker.runtime.gone_agents import gone_agents
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import with_keys
from tests.unit.baton.server.console.operator import operator_of

OTHER = Agent(name="other", model=ScriptedModel(["hello"]))
LACKING = Registry([OTHER])


@tool(retries=0)
async def look() -> str:
    return "seen"


def clerks() -> Registry:
    return Registry([OTHER, Agent(name="clerk", model=ScriptedModel([[Call("look", {})], "done"]), tools=[look])])


@pytest.mark.parametrize("deliveries", [0, 1, 2], ids=["before its turn", "before its call", "before its second turn"])
async def test_a_job_of_an_agent_that_is_gone_waits_and_goes_on_once_it_is_there_again(
    deliveries: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Wherever the job stands: its turn, its call, and what comes after that."""
    stage = Stage(settings=with_keys(continuation="queue"), registry=clerks())
    async with operator_of(stage) as operator:
        job = await operator.api.submitted(jobType="clerk")
    for _ in range(deliveries):
        await one_delivery(stage)
    stage.restart(LACKING)
    await stage.run(within_seconds=3_600)
    site = build_site(stage.container)
    async with site.router.lifespan_context(site):
        await asyncio.sleep(0.01)
    async with operator_of(stage) as operator:
        waiting = (await operator.api.request("GET", f"/api/agent-jobs/{job['id']}")).json()
        assert (waiting["status"], waiting["error"]) == ("waiting", None)
        assert "unknown agent 'clerk'" in waiting["waitingFor"]
        await operator.api.submitted(jobType="other")
        [path] = re.findall(r'href="([^"]*)">1 job waits for &#39;clerk&#39;', await operator.see("/console"))
        listed = await operator.see(path.replace("&amp;", "&"))
        assert rows_of(listed) == [job["id"]]
        assert "clerk is no agent or workflow of this deploy" in listed
        assert '<option value="clerk" selected>' in listed
        for name, status in (("clerk", 200), ("nobody", 422)):
            assert (await operator.api.request("GET", f"/api/agent-jobs?jobType={name}")).status_code == status
        for page in ("/console/agents", "/console/agents/clerk/versions"):
            assert "this deploy has no clerk" in await operator.see(page)
        assert "goes on once the deployed code fits" in await operator.see(f"/console/jobs/{job['id']}")
        rows = await operator.see("/console/jobs")
        assert "waits for code that fits, tried again" in rows
        assert ": unknown_agent: unknown agent &#39;clerk" in rows
        assert rows_of(listed) == rows_of(await operator.see("/console/jobs?unfit=1"))
    assert "1 job waits for 'clerk', which is no agent or workflow of this deploy" in caplog.text
    stage.restart(clerks())
    await stage.run()
    assert (await stage.now(job["id"])).status is JobStatus.COMPLETED


@workflow
async def ship() -> None:
    await look()


@workflow(name="ship")
async def changed() -> None:
    await sleep(5)


async def test_a_job_that_waits_for_changed_code_is_named_with_its_version_and_when_it_fails() -> None:
    stage = Stage(settings=with_keys(continuation="queue"), registry=Registry(workflows=[ship]))
    async with operator_of(stage) as operator:
        job = await operator.api.submitted(jobType="ship")
        assert "not the deployed one" not in await operator.see("/console/agents")
    await one_delivery(stage)
    stage.restart(Registry(workflows=[changed]))
    async with operator_of(stage) as operator:
        new = await operator.api.submitted(jobType="ship")
        await stage.run(within_seconds=3_600)
        [path] = re.findall(r'href="([^"]*)">1 job waits for code of ship that fits', await operator.see("/console"))
        listed = await operator.see(path.replace("&amp;", "&"))
        assert rows_of(listed) == [job["id"]]
        assert re.search(", fails <time[^>]*>tomorrow", listed)
        for page in ("", "/ship/versions"):
            table = (await operator.see(f"/console/agents{page}")).split('id="unfinished"')[1]
            [(path, number)] = re.findall(r'<a href="([^"]+version=[^"]+)">([0-9]+)<', table)
            assert (number, "not the deployed one, " in table) == ("1", True)
            assert rows_of(await operator.see(path.replace("&amp;", "&"))) == [job["id"]]
        assert rows_of(await operator.see("/console/jobs")) == [new["id"], job["id"]]


def rows_of(markup: str) -> list[str]:
    return re.findall(r'row-(job_\w+)" data', markup)


async def one_delivery(stage: Stage) -> None:
    class EnoughError(Exception):
        """One message is delivered."""

    async def enough() -> None:
        raise EnoughError

    with pytest.raises(EnoughError):
        await stage.run(enough)


def test_each_name_is_counted_and_those_that_are_there_are_not_named() -> None:
    names = ["clerk", "flow", "clerk", "other", ""]
    live = {f"job_{at}": QueueEntry("t", "s", 5, 0, agent=name) for at, name in enumerate(names)}
    assert [name for name, _ in gone_agents(LACKING, live)] == ["clerk", "flow"]
    assert gone_agents(LACKING, live)[0][1].startswith("2 jobs wait for 'clerk'")
