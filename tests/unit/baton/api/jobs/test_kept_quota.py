"""How many events a tenant may have kept for jobs that do not wait for them yet."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest

from baton import Agent, Call, Registry, ScriptedModel, wait_for_event
from baton_events.errors import StoreError
from tests.unit.baton.api.client import ACME, OTHER, Api, api_of, assert_problem, with_keys
from tests.unit.baton.kit.stage import SETTINGS, Stage

WAITS = [Call("wait_for_event", {"name": "paid", "timeout_seconds": 600})]
REGISTRY = Registry([Agent(name="waits", model=ScriptedModel([WAITS, WAITS, "done"]), tools=[wait_for_event])])


@asynccontextmanager
async def with_quota(limit: int) -> AsyncIterator[Api]:
    settings = replace(with_keys(SETTINGS), events_kept_per_tenant=limit)
    async with api_of(Stage(settings=settings, registry=REGISTRY)) as api:
        yield api


async def job_of(api: Api, key: str = ACME) -> str:
    job_id: str = (await api.submitted(key, jobType="waits"))["id"]
    return job_id


async def reports(api: Api, job_id: str, name: str = "paid", key: str = ACME) -> httpx.Response:
    return await api.request("POST", f"/api/agent-jobs/{job_id}/events", key, json={"name": name, "data": 1})


async def test_one_event_more_than_the_quota_is_refused_with_the_way_out() -> None:
    """Over all jobs of the tenant, before anything is published; another tenant has a quota of its own."""
    async with with_quota(3) as api:
        jobs = [await job_of(api) for _ in range(2)]
        for job_id in (*jobs, jobs[0]):
            assert (await reports(api, job_id)).status_code == 202
        published = len(api.stage.queue.published)
        refused = await reports(api, jobs[1])
        detail = assert_problem(refused, 429)
        assert all(word in detail for word in ("'acme'", "3 events", "EVENTS_KEPT_PER_TENANT", "deleted"))
        assert int(refused.headers["retry-after"]) >= 1
        assert len(api.stage.queue.published) == published
        assert (await reports(api, await job_of(api, OTHER), key=OTHER)).status_code == 202


async def test_what_jobs_have_taken_is_given_back() -> None:
    async with with_quota(2) as api:
        for _ in range(3):
            job_id = await job_of(api)
            assert [(await reports(api, job_id)).status_code for _ in range(2)] == [202, 202]
            await api.stage.run()
            assert (await api.read(job_id))["status"] == "completed"


async def test_jobs_are_looked_at_again_when_retry_after_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once in that time, however often somebody tries; then who was refused is let in, if there is room."""
    async with with_quota(2) as api:
        kept, checks = api.stage.ports.kept_events, list[str]()
        assert kept is not None
        recount = kept.recount

        async def counted(tenant: str) -> int:
            checks.append(tenant)
            return await recount(tenant)

        monkeypatch.setattr(kept, "recount", counted)
        job_id = await job_of(api)
        answers = [await reports(api, job_id) for _ in range(9)]
        assert [answer.status_code for answer in answers] == [202, 202, *[429] * 7]
        assert checks == ["acme"]
        await api.stage.run()
        api.stage.clock.ms += 1000 * int(answers[-1].headers["retry-after"])
        assert (await reports(api, await job_of(api))).status_code == 202


async def test_an_event_that_a_job_waits_for_is_never_refused() -> None:
    """The quota is used up by another job; 0 is no limit."""
    async with with_quota(1) as api:
        job_id, stage = await job_of(api), api.stage
        for _ in range(2):  # its turn, and its call, which waits
            await stage.deliver(stage.events()[-1], stage.queue.published[-1][0])
        assert (await reports(api, await job_of(api), "other")).status_code == 202
        assert (await reports(api, job_id, "other")).status_code == 429
        assert (await reports(api, job_id)).status_code == 202
    async with with_quota(0) as api:
        job_id = await job_of(api)
        assert {(await reports(api, job_id)).status_code for _ in range(20)} == {202}
        assert api.stage.ports.kept_events is not None
        assert await api.stage.ports.kept_events.count("acme") == 0


async def test_an_event_that_cannot_be_counted_is_taken_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is recorded, and whoever sent it must not send it again."""

    async def away(*_: object) -> None:
        raise StoreError("away")

    async with with_quota(5) as api:
        job_id = await job_of(api)
        monkeypatch.setattr(api.stage.ports.kept_events, "add", away)
        assert (await reports(api, job_id)).status_code == 202
