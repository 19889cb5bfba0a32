"""`GET /api/agent-jobs`: filters, pages, and whose jobs they are."""

from typing import Any

import pytest

from baton.api.jobs.listing import YOUNG_MS
from tests.unit.baton.api.client import ACME, ADMIN, OTHER, Api, assert_problem


async def listed(api: Api, query: str = "", key: str = ACME) -> dict[str, Any]:
    """A page."""
    response = await api.request("GET", f"/api/agent-jobs{query}", key)
    assert response.status_code == 200, response.text
    page: dict[str, Any] = response.json()
    return page


async def ids(api: Api, query: str = "", key: str = ACME) -> list[str]:
    """The jobs of a page that is the only one."""
    page = await listed(api, query, key)
    assert "cursor" not in page
    return [job["id"] for job in page["jobs"]]


async def submitted(api: Api, count: int = 1, key: str = ACME, **fields: Any) -> list[str]:
    """Jobs, a second apart; their ids, the newest first."""
    made: list[str] = []
    for _ in range(count):
        api.stage.clock.ms += 1_000
        made.append((await api.submitted(key, **fields))["id"])
    return made[::-1]


async def test_a_list_has_the_tenants_jobs_newest_first(api: Api) -> None:
    """Each as it is read by itself, but for what only that shows; an admin's has every tenant's."""
    mine, others = await submitted(api, 3), await submitted(api, 2, OTHER)
    await api.stage.run()
    page = await listed(api)
    assert [job["id"] for job in page["jobs"]] == mine
    whole = await api.read(mine[0])
    alone = ("toolCalls", "memory", "cost", "agentVersion", "scores")
    assert page["jobs"][0] == {name: whole[name] for name in whole if name not in alone} | {"tenant": "acme"}
    assert await ids(api, key=ADMIN) == others + mine
    assert await ids(api, "?tenant=other", ADMIN) == others
    assert await ids(api, "?tenant=acme") == mine


async def test_another_tenants_jobs_are_not_listed(api: Api) -> None:
    """403 where they are asked for by name; by the session they share they are left out."""
    await submitted(api, 1, OTHER, sessionId="shared")
    mine = await submitted(api, 1, sessionId="shared")
    assert_problem(await api.request("GET", "/api/agent-jobs?tenant=other"), 403)
    assert await ids(api, "?sessionId=shared") == mine
    assert len(await ids(api, "?sessionId=shared", ADMIN)) == 2


async def test_live_jobs_come_page_by_page_too(api: Api) -> None:
    """From the slot table of the admission."""
    jobs = await submitted(api, 5, delaySeconds=600)
    first = await listed(api, "?status=pending&limit=3")
    second = await listed(api, f"?status=pending&limit=3&cursor={first['cursor']}")
    assert [job["id"] for job in first["jobs"] + second["jobs"]] == jobs
    assert "cursor" not in second


async def test_a_job_that_is_gone_is_left_out_and_its_rows_go(api: Api) -> None:
    """Not while it is young: its backup message may still create it."""
    kept, gone = await submitted(api, 2)
    del api.stage.store.trees[gone]
    rows = len(api.stage.admission.rows)
    assert await ids(api) == [kept]
    assert len(api.stage.admission.rows) == rows
    api.stage.clock.ms += YOUNG_MS + 2_000
    for _ in range(2):
        assert await ids(api) == [kept]
        assert len(api.stage.admission.rows) == rows // 2


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("status=done", ["status"]),
        ("status=", ["status"]),
        ("jobType=nobody", ["jobType"]),
        ("createdAfter=yesterday", ["createdAfter"]),
        ("createdAfter=2026-01-01T00:00:00", ["createdAfter"]),
        ("limit=0", ["limit"]),
        ("limit=101", ["limit"]),
        ("limit=x", ["limit"]),
        ("cursor=x", ["cursor"]),
        ("sort=asc", ["sort"]),
        ("sessionId=", ["sessionId"]),
        ("parentJobId=a/b", ["parentJobId"]),
        ("limit=0&status=x", ["limit", "status"]),
        ("limit=1&limit=2", ["limit"]),
    ],
)
async def test_an_unknown_filter_or_value_is_refused(api: Api, query: str, fields: list[str]) -> None:
    """422, and the field is named."""
    assert_problem(await api.request("GET", f"/api/agent-jobs?{query}"), 422, *fields)


async def test_jobs_below_another_are_listed_with_their_parent_only(api: Api) -> None:
    """404 for an unknown parent, 403 for another tenant's."""
    (parent,) = await submitted(api)
    assert await ids(api, f"?parentJobId={parent}") == []
    assert_problem(await api.request("GET", f"/api/agent-jobs?parentJobId={parent}", OTHER), 403)
    assert_problem(await api.request("GET", "/api/agent-jobs?parentJobId=job_none"), 404)
