"""`GET /api/admin/usage`: what tenants have used by month, the overhead, and the prices; a session's own sums."""

from typing import Any

import pytest

from baton.settings.service_prices import LIST
from baton_events.timestamps import rfc3339
from tests.unit.baton.api.client import ADMIN, Api

PATH = "/api/admin/usage"


async def ended(api: Api) -> dict[str, Any]:
    job = await api.submitted(jobType="adds")
    await api.stage.run()
    return await api.read(job["id"])


async def test_a_tenants_jobs_add_up_by_month_and_a_sessions(api: Api) -> None:
    """Tokens, model cost, and what the usage ledger said when each told its end."""
    jobs = [await ended(api) for _ in range(2)]
    found = (await api.request("GET", PATH, ADMIN)).json()
    assert [price["source"] for price in found["prices"]] == [price.source for price in LIST]
    assert all(price["usd"] == price["listUsd"] for price in found["prices"])
    (row,) = found["tenants"]
    assert (row["tenant"], row["month"]) == ("acme", rfc3339(api.stage.clock.ms)[:7])
    assert row["usage"]["jobs"] == 2
    for name in ("inputTokens", "outputTokens"):
        assert row["usage"][name] == sum(job["usage"][name] for job in jobs)
    assert row["usage"]["redisRequests"] > 0
    for query, rows in (("tenant=acme", 1), ("tenant=other", 0), ("month=1999-01", 0)):
        assert len((await api.request("GET", f"{PATH}?{query}", ADMIN)).json()["tenants"]) == rows
    usage = (await api.request("GET", f"/api/sessions/{jobs[0]['sessionId']}")).json()["usage"]
    assert (usage["jobs"], usage["cost"]) == (1, jobs[0]["cost"])
    assert usage["redisRequests"] == jobs[0]["usage"]["redisRequests"]


async def test_the_last_days_are_requested_by_agent_tenant_and_model(api: Api) -> None:
    """Or the months of these days."""
    job = await ended(api)
    (row,) = (await api.request("GET", f"{PATH}?by=day", ADMIN)).json()["rows"]
    assert row["day"] == rfc3339(api.stage.clock.ms)[:10]
    assert (row["agent"], row["tenant"], row["completed"], row["failed"]) == ("adds", "acme", 1, 0)
    assert row["usage"]["inputTokens"] == job["usage"]["inputTokens"]
    (month,) = (await api.request("GET", f"{PATH}?by=month&agent=adds&model={row['model']}", ADMIN)).json()["rows"]
    assert (month["month"], month["usage"]) == (row["day"][:7], row["usage"])
    for query in ("agent=other", "tenant=other", "model=other", "to=2020-01-01"):
        assert (await api.request("GET", f"{PATH}?by=day&{query}", ADMIN)).json()["rows"] == []


@pytest.mark.parametrize(
    "query", ["month=soon", "by=week", "agent=adds", "by=day&month=2026-11", "by=day&from=2026-02-01&to=2026-01-01"]
)
async def test_a_query_that_means_nothing_is_refused(api: Api, query: str) -> None:
    assert (await api.request("GET", f"{PATH}?{query}", ADMIN)).status_code == 422
