"""`GET /api/admin/usage`: what tenants have used by month, the overhead, and the prices; a session's own sums."""

import pytest

from baton.settings.service_prices import LIST
from baton_events.timestamps import rfc3339
from tests.unit.baton.api.client import ADMIN, Api

PATH = "/api/admin/usage"


async def ended(api: Api) -> dict[str, object]:
    """A job that has ended, as it is read."""
    job = await api.submitted(jobType="adds")
    await api.stage.run()
    read: dict[str, object] = await api.read(job["id"])
    assert read["status"] == "completed"
    return read


async def test_a_tenants_jobs_add_up_by_month(api: Api) -> None:
    """Tokens, model cost, and what the usage ledger said when each told its end."""
    jobs = [await ended(api) for _ in range(2)]
    (row,) = (await api.request("GET", PATH, ADMIN)).json()["tenants"]
    assert (row["tenant"], row["month"]) == ("acme", rfc3339(api.stage.clock.ms)[:7])
    assert row["usage"]["jobs"] == 2
    for name in ("inputTokens", "outputTokens"):
        assert row["usage"][name] == sum(job["usage"][name] for job in jobs)  # type: ignore[index]
    assert row["usage"]["redisRequests"] > 0


@pytest.mark.parametrize(("query", "rows"), [("?tenant=acme", 1), ("?tenant=other", 0), ("?month=1999-01", 0)])
async def test_it_is_requested_a_tenant_or_a_month(api: Api, query: str, rows: int) -> None:
    """The others are left out."""
    await ended(api)
    assert len((await api.request("GET", f"{PATH}{query}", ADMIN)).json()["tenants"]) == rows


async def test_prices_name_where_they_were_read(api: Api) -> None:
    """And what is set instead."""
    prices = (await api.request("GET", PATH, ADMIN)).json()["prices"]
    assert [price["source"] for price in prices] == [price.source for price in LIST]
    assert all(price["usd"] == price["listUsd"] for price in prices)


async def test_what_is_no_month_is_422_and_a_client_is_refused(api: Api) -> None:
    """It is about all tenants."""
    assert (await api.request("GET", f"{PATH}?month=soon", ADMIN)).status_code == 422
    assert (await api.request("GET", PATH)).status_code == 403


async def test_a_session_shows_what_its_jobs_have_used(api: Api) -> None:
    """Those of the page that is shown."""
    job = await ended(api)
    usage = (await api.request("GET", f"/api/sessions/{job['sessionId']}")).json()["usage"]
    assert usage["jobs"] == 1
    assert usage["redisRequests"] == job["usage"]["redisRequests"]  # type: ignore[index]
    assert usage["cost"] == job["cost"]


async def test_the_last_days_are_requested_by_agent_tenant_and_model(api: Api) -> None:
    """Or the months of these days."""
    job = await ended(api)
    (row,) = (await api.request("GET", f"{PATH}?by=day", ADMIN)).json()["rows"]
    assert row["day"] == rfc3339(api.stage.clock.ms)[:10]
    assert (row["agent"], row["tenant"], row["completed"], row["failed"]) == ("adds", "acme", 1, 0)
    assert row["usage"]["inputTokens"] == job["usage"]["inputTokens"]  # type: ignore[index]
    (month,) = (await api.request("GET", f"{PATH}?by=month&agent=adds&model={row['model']}", ADMIN)).json()["rows"]
    assert (month["month"], month["usage"]) == (row["day"][:7], row["usage"])
    for query in ("agent=other", "tenant=other", "model=other", "to=2020-01-01"):
        assert (await api.request("GET", f"{PATH}?by=day&{query}", ADMIN)).json()["rows"] == []


@pytest.mark.parametrize(
    "query", ["by=week", "agent=adds", "by=day&month=2026-11", "by=day&from=2026-02-01&to=2026-01-01"]
)
async def test_a_query_that_means_nothing_is_refused(api: Api, query: str) -> None:
    """With what it should be."""
    assert (await api.request("GET", f"{PATH}?{query}", ADMIN)).status_code == 422
