"""How many bytes of jobs a tenant may have stored, and how many events for jobs that do not wait for them yet."""

import httpx
import pytest

from baton import Agent, Call, Pending, Registry, ScriptedModel, ToolContext, tool, wait_for_event
from baton.store.redis.keys import stored_bytes_key
from baton.store.redis.totals import StoredBytes
from baton_events.errors import StoreError
from tests.unit.baton.server.api.client import ACME, OTHER, Api, api_with, assert_problem
from tests.unit.baton.server.api.sessions.chatting import chat_body, send

TEXT = "x" * 10_000


@tool
async def large() -> str:
    """Return much."""
    return TEXT


@tool
async def ask(ctx: ToolContext) -> Pending:
    """Give somebody else a task."""
    return ctx.start("grows", TEXT)


WAITS = [Call("wait_for_event", {"name": "paid", "timeout_seconds": 600})]
REGISTRY = Registry(
    [
        Agent(name="answers", model=ScriptedModel(["done"])),
        Agent(name="starts", model=ScriptedModel([[Call("ask", {}), Call("ask", {})], "done"]), tools=[ask]),
        Agent(name="grows", model=ScriptedModel([[Call("large", {})], "done"]), tools=[large]),
        Agent(name="waits", model=ScriptedModel([WAITS, WAITS, "done"]), tools=[wait_for_event]),
    ]
)


async def submits(api: Api, key: str = ACME, idempotency_key: str = "", agent: str = "answers") -> httpx.Response:
    return await api.submit(key, idempotency_key, jobType=agent, taskDescription=TEXT)


def stored(api: Api) -> StoredBytes:
    found = api.stage.ports.stored_bytes
    assert found is not None
    return found


async def kept(api: Api) -> int:
    """What is counted for acme, by whatever time it goes."""
    return sum((await stored(api).sums("acme")).values())


async def test_a_tenant_over_its_quota_of_bytes_is_refused_with_the_way_out() -> None:
    """What waits counts as it was submitted; nothing is published; another tenant has a quota of its own."""
    async with api_with(REGISTRY, bytes_kept_per_tenant=35_000) as api:
        assert [(await submits(api)).status_code for _ in range(3)] == [202] * 3
        published, jobs = len(api.stage.queue.published), len(api.stage.store.trees)
        refused = await submits(api)
        detail = assert_problem(refused, 429)
        assert all(word in detail for word in ("'acme'", str(await kept(api)), "BYTES_KEPT_PER_TENANT", "35000"))
        assert "delete" in detail
        assert int(refused.headers["retry-after"]) >= 1
        assert (len(api.stage.queue.published), len(api.stage.store.trees)) == (published, jobs)
        assert (await submits(api, OTHER)).status_code == 202
        await api.stage.run()
        for job_id in list(api.stage.store.trees):
            await api.request("DELETE", f"/api/agent-jobs/{job_id}")
        assert await kept(api) == 0
        assert (await submits(api)).status_code == 202


async def test_what_was_accepted_is_answered_again_whatever_is_stored_by_now() -> None:
    """It stores nothing more; a chat's message likewise."""
    async with api_with(REGISTRY, bytes_kept_per_tenant=15_000) as api:
        assert (await submits(api, idempotency_key="k1")).status_code == 202
        assert (await submits(api, idempotency_key="k2")).status_code == 429
        assert (await submits(api, idempotency_key="k1")).status_code == 202
    async with api_with(REGISTRY, bytes_kept_per_tenant=15_000) as api:
        first = await send(api, "chat-1", "m1", TEXT, agent="answers")
        assert_problem(await api.request("POST", "/api/chat", json=chat_body("chat-1", "m2", TEXT)), 429)
        assert (await send(api, "chat-1", "m1", TEXT, agent="answers")).text == first.text


async def test_jobs_that_a_job_starts_count_for_its_tenant() -> None:
    """Each with its own end; what they were started with is the job's. All of it goes with the job."""
    async with api_with(REGISTRY, bytes_kept_per_tenant=10_000_000) as api:
        job_id = (await submits(api, agent="starts")).json()["id"]
        await api.stage.run()
        assert (await api.read(job_id))["status"] == "completed"
        usage_ledger = api.stage.store.tree(job_id).usage
        assert len(usage_ledger) == 3
        assert await kept(api) == sum(each.written for each in usage_ledger.values()) > 40_000
        await api.request("DELETE", f"/api/agent-jobs/{job_id}")
        assert await kept(api) == 0


async def test_what_has_expired_is_given_back_by_time() -> None:
    """When `Retry-After` says so: never before the data has gone."""
    async with api_with(REGISTRY, bytes_kept_per_tenant=15_000, job_retention_seconds=86_400) as api:
        job_id = (await submits(api)).json()["id"]
        await api.stage.run()
        after_seconds = int((await submits(api)).headers["retry-after"])
        ended_ms = api.stage.store.tree(job_id).jobs[job_id].finished_at_ms or 0
        kept_seconds = (api.stage.clock.ms - ended_ms) / 1000 + after_seconds
        assert 86_400 <= kept_seconds <= 86_400 * 25 / 24 + 1
        api.stage.clock.ms += 1000 * (after_seconds - 2)
        assert (await submits(api)).status_code == 429
        api.stage.clock.ms += 2000
        assert (await submits(api)).status_code == 202


async def test_a_retried_job_counts_once() -> None:
    """From its retry on as it was then, and from its end on with all that it has written."""
    async with api_with(REGISTRY, bytes_kept_per_tenant=10_000_000, job_retention_seconds=86_400) as api:
        job_id = (await submits(api, agent="grows")).json()["id"]
        assert 10_000 < await kept(api) < 13_000
        assert (await api.request("PATCH", f"/api/agent-jobs/{job_id}", json={"action": "cancel"})).status_code == 200
        await api.stage.run()
        ended = api.stage.store.tree(job_id).usage[job_id].written
        assert await kept(api) == ended
        api.stage.clock.ms += 43_200_000
        answer = await api.request("PATCH", f"/api/agent-jobs/{job_id}", json={"action": "retry", "from": "start"})
        assert answer.status_code == 200, answer.text
        sums = {until_ms: size for until_ms, size in (await stored(api).sums("acme")).items() if size}
        assert list(sums.values()) == [ended]
        assert min(sums) >= api.stage.clock.ms + 86_400_000
        await api.stage.run()
        assert await kept(api) == api.stage.store.tree(job_id).usage[job_id].written > ended + 10_000
        await api.request("DELETE", f"/api/agent-jobs/{job_id}")
        assert await kept(api) == 0


async def job_of(api: Api, key: str = ACME) -> str:
    job_id: str = (await api.submitted(key, jobType="waits"))["id"]
    return job_id


async def reports(api: Api, job_id: str, name: str = "paid", key: str = ACME) -> httpx.Response:
    return await api.request("POST", f"/api/agent-jobs/{job_id}/events", key, json={"name": name, "data": 1})


async def test_one_event_more_than_the_quota_is_refused_with_the_way_out() -> None:
    """Over all jobs of the tenant, before anything is published; another tenant has a quota of its own."""
    async with api_with(REGISTRY, events_kept_per_tenant=3) as api:
        jobs = [await job_of(api) for _ in range(2)]
        for job_id in (*jobs, jobs[0]):
            assert (await reports(api, job_id)).status_code == 202
        published = len(api.stage.queue.published)
        refused = await reports(api, jobs[1])
        detail = assert_problem(refused, 429)
        assert all(word in detail for word in ("'acme'", "3 events", "it may have", "deleted"))
        assert int(refused.headers["retry-after"]) >= 1
        assert len(api.stage.queue.published) == published
        assert (await reports(api, await job_of(api, OTHER), key=OTHER)).status_code == 202


async def test_what_jobs_have_taken_is_given_back_at_once() -> None:
    async with api_with(REGISTRY, events_kept_per_tenant=2) as api:
        for _ in range(3):
            job_id = await job_of(api)
            assert [(await reports(api, job_id)).status_code for _ in range(2)] == [202, 202]
            await api.stage.run()


async def test_jobs_are_looked_at_again_when_retry_after_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once in that time, however often somebody tries; then who was refused is let in, if there is room."""
    async with api_with(REGISTRY, events_kept_per_tenant=2) as api:
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
    """The quota is used up by another job."""
    async with api_with(REGISTRY, events_kept_per_tenant=1) as api:
        job_id, stage = await job_of(api), api.stage
        for _ in range(2):  # its turn, and its call, which waits
            await stage.deliver(stage.events()[-1], stage.queue.published[-1][0])
        assert (await reports(api, await job_of(api), "other")).status_code == 202
        assert (await reports(api, job_id, "other")).status_code == 429
        assert (await reports(api, job_id)).status_code == 202


async def away(*_: object) -> dict[int, int]:
    raise StoreError("away")


async def test_without_quotas_nothing_is_asked_or_counted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with api_with(REGISTRY, bytes_kept_per_tenant=0, events_kept_per_tenant=0) as api:
        monkeypatch.setattr(stored(api), "sums", away)
        job_id = await job_of(api)
        assert {(await reports(api, job_id)).status_code for _ in range(20)} == {202}
        assert api.stage.ports.kept_events is not None
        assert await api.stage.ports.kept_events.count("acme") == 0
        await api.stage.run()
        await api.request("DELETE", f"/api/agent-jobs/{job_id}")
        assert (api.stage.redis.run("EXISTS", stored_bytes_key("acme")), "away" in caplog.text) == (0, False)


async def test_a_store_that_does_not_answer_refuses_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An event is recorded then, and whoever sent it must not send it again."""
    async with api_with(REGISTRY, bytes_kept_per_tenant=1, events_kept_per_tenant=5) as api:
        for port, name in ((stored(api), "sums"), (stored(api), "add"), (api.stage.ports.kept_events, "add")):
            monkeypatch.setattr(port, name, away)
        job_id, again = [(await submits(api)).json()["id"] for _ in range(2)]
        assert all(word in caplog.text for word in ("'acme'", "away"))
        assert (await reports(api, job_id)).status_code == 202
        await api.stage.run()
        assert {(await api.read(each))["status"] for each in (job_id, again)} == {"completed"}
        assert (await api.request("DELETE", f"/api/agent-jobs/{job_id}")).status_code == 204
