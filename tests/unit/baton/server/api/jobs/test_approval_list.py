"""The approvals of all jobs: pending ones from the slot table of live jobs, others from the list of all jobs."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from baton import Agent, Call, Limits, Registry, ScriptedModel, ToolContext, tool
from baton.engine.all_jobs.job_list import Found, Query, position_from, position_of
from baton.sdk.tools.pending import Pending
from baton.server.api.auth import Principal
from baton.server.api.jobs.approval_links import read_link
from baton.server.api.jobs.approval_list import ApprovalList
from baton.server.api.jobs.approvals import ListQuery, approvals_listed
from baton.server.api.problem import ApiError
from baton.store.records.all_jobs import Scanned
from tests.fakes.clock import FakeClock
from tests.unit.baton.kit.approval_kit import Kit, decide, requested, run_for_an_hour
from tests.unit.baton.server.api.client import ACME, ADMIN, OTHER, Api, api_with, assert_problem

PATH = "/api/admin/agent-checkpoints"


def registry() -> Registry:
    """The kit's agents, one that asks another one, and one that asks about a limit."""
    kit = Kit()
    agents = list(kit.registry().agents)

    @tool(retries=0)
    async def give(ctx: ToolContext) -> Pending:
        return ctx.start("pays", "pay")

    limits = Limits(wall_seconds=7 * 86_400)
    boss = Agent(name="boss", model=ScriptedModel([[Call("give", {})], "done"]), tools=[give], limits=limits)
    one_turn, checks = Limits(turns=1, on_limit="ask"), ScriptedModel([[Call("price", {"of": "tea"})], "done"])
    requests = Agent(name="greedy", model=checks, tools=[kit.price], limits=one_turn)
    return Registry([*agents, boss, requests])


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with api_with(registry()) as made:
        yield made


async def listed(api: Api, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        answer = await api.request("GET", PATH, ADMIN, params={"limit": 2, **query})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert len(page["checkpoints"]) <= 2
        found += page["checkpoints"]
        if "cursor" not in page:
            return found
        query["cursor"] = page["cursor"]


async def test_pending_ones_of_every_tenant_are_shown_newest_first(api: Api) -> None:
    """Several of one job, of a job below another one, and about a limit; each is shown once, as its job shows it."""
    jobs = []
    for agent, key in (("pays", ACME), ("pays-twice", OTHER), ("boss", ACME), ("greedy", ACME), ("plan", OTHER)):
        jobs.append((await api.submitted(key, jobType=agent))["id"])
        await run_for_an_hour(api)
        api.stage.clock.ms += 1_000
    found = await listed(api)
    child = found[2]["jobId"]
    assert child.startswith(f"{jobs[2]}.")
    assert [view["jobId"] for view in found] == [jobs[4], jobs[3], child, jobs[1], jobs[1], jobs[0]]
    assert len({view["id"] for view in found}) == len(found) == 6
    own = (await api.request("GET", f"/api/agent-jobs/{jobs[0]}/checkpoints")).json()["checkpoints"]
    assert found[5] == own[0]
    assert {view["status"] for view in found} == {"pending"}


async def test_decided_ones_are_found_by_what_was_decided(api: Api) -> None:
    """Also of a job below another one, and of one that was cancelled; none is pending any more."""
    ids = {}
    for agent, status in (("pays", "approved"), ("pays", "rejected"), ("pays", "cancelled"), ("pays", "expired")):
        job_id, checkpoint = await requested(api, agent)
        ids[status] = checkpoint["id"]
        if status == "cancelled":
            await api.request("PATCH", f"/api/agent-jobs/{job_id}", json={"action": "cancel"})
        elif status == "rejected":
            await decide(api, checkpoint, "DELETE", reason="no")
        elif status == "approved":
            await decide(api, checkpoint)
        await run_for_an_hour(api)
        api.stage.clock.ms += 1_000
    boss = (await api.submitted(jobType="boss"))["id"]
    await run_for_an_hour(api)
    (child, _) = [view for view in await listed(api) if view["id"] != ids["expired"]] + [None]
    assert child is not None
    await decide(api, child)
    await api.stage.run()
    assert await listed(api) == []
    for status in ("rejected", "cancelled", "expired"):
        assert [view["id"] for view in await listed(api, status=status)] == [ids[status]]
    approved = await listed(api, status="approved")
    assert [view["id"] for view in approved] == [child["id"], ids["approved"]]
    assert approved[0]["jobId"].startswith(f"{boss}.")


async def test_what_was_decided_between_two_pages_is_left_out(api: Api) -> None:
    await requested(api, "pays-twice")
    await run_for_an_hour(api)
    first = (await api.request("GET", PATH, ADMIN, params={"limit": 1})).json()
    await decide(api, first["checkpoints"][0])
    rest = (await api.request("GET", PATH, ADMIN, params={"limit": 1, "cursor": first["cursor"]})).json()
    assert len(rest["checkpoints"]) == 1
    assert rest["checkpoints"][0]["id"] != first["checkpoints"][0]["id"]
    assert "cursor" not in rest


async def test_a_page_goes_on_behind_a_job_that_waits_no_more(api: Api) -> None:
    """The ids of other jobs have no order: a page left out those above the id at which the page before had ended."""
    waiting = {(await requested(api, "pays"))[1]["id"] for _ in range(5)}
    api.stage.clock.ms += 1_000
    newest = (await api.submitted(jobType="pays-twice", idempotency_key="its id comes before theirs"))["id"]
    await run_for_an_hour(api)
    assert newest < min(waiting).removeprefix("op_")
    first = (await api.request("GET", PATH, ADMIN, params={"limit": 1})).json()
    assert [view["jobId"] for view in first["checkpoints"]] == [newest]
    await api.request("PATCH", f"/api/agent-jobs/{newest}", json={"action": "cancel"})
    assert {view["id"] for view in await listed(api, cursor=first["cursor"])} == waiting


class ManyJobs:
    """A list of jobs whose data is gone."""

    def __init__(self, jobs: int) -> None:
        names = [f"job_{number:03}" for number in range(jobs)]
        self._rows = tuple(Found(name, 0, position_of(jobs - at, name)) for at, name in enumerate(names))

    async def scan(self, _query: Query, position: str, count: int) -> Scanned:
        behind = [row for row in self._rows if not position or row.position < position]
        return Scanned(tuple(behind[:count]), behind[count - 1].position if len(behind) > count else "")

    async def job(self, _job_id: str, *, partly: bool) -> None:
        assert partly


async def test_a_page_reads_so_many_jobs_and_says_where_to_go_on() -> None:
    jobs: Any = ManyJobs(101)
    approvals = ApprovalList(jobs, jobs, jobs, FakeClock())
    page = await approvals.page("approved", 10, "")
    assert page.checkpoints == ()
    assert position_from(page.cursor) == position_of(2, "job_099")
    assert (await approvals.page("approved", 10, page.cursor)).cursor == ""


async def test_only_operators_see_the_approvals_of_all(api: Api) -> None:
    container = api.stage.container
    assert (await approvals_listed(container, Principal("admin", "acme"), ListQuery())).checkpoints == ()
    with pytest.raises(ApiError, match="admin key") as caught:
        await approvals_listed(container, Principal("client", "acme"), ListQuery())
    assert caught.value.status == 403


async def test_a_decision_is_about_what_was_shown(api: Api) -> None:
    """The digest of the arguments that the person saw, if it is sent."""
    _, asked = await requested(api, "pays")
    assert_problem(await decide(api, asked, digest="0" * 64), 409)
    assert (await decide(api, asked, digest=asked["digest"])).status_code == 200


async def test_a_link_is_of_its_tenant_and_for_its_time() -> None:
    async with api_with(registry(), approval_links=True) as api:
        _, asked = await requested(api, "pays")
        path = f"{PATH}/{asked['id']}/links"
        assert_problem(await api.request("POST", path, OTHER, json={}), 403)
        made = (await api.request("POST", path, ACME, json={"expiresInSeconds": 60})).json()
        token = made["url"].rpartition("/")[2]
        container = api.stage.container
        assert read_link(container, token).checkpoint == asked["id"]
        api.stage.clock.ms += 60_000
        with pytest.raises(ApiError) as raised:
            read_link(container, token)
        assert raised.value.status == 410
    async with api_with(registry()) as api:
        assert_problem(await api.request("POST", f"{PATH}/{asked['id']}/links", ACME, json={}), 403)
