"""Budgets over the API: what is listed, set and taken away, and who is woken by it."""

from typing import Any

import pytest

from baton.engine.outbox import event_of
from baton.engine.work_items import loop_item
from baton.sdk.records.budget import Unit, periods_around
from baton.store.records.budgets import Want
from baton.store.redis.budgets import Budgets
from baton_events.errors import PublishError
from baton_events.schema import encode_event
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import ACME, ADMIN, Api, assert_problem

PATH, OF_USER = "/api/admin/budgets", "/api/admin/budgets/user%2F7"


def budgets_of(stage: Stage) -> Budgets:
    assert stage.ports.budgets is not None
    budgets: Budgets = stage.ports.budgets()
    return budgets


async def reserved(stage: Stage, name: str, amount: int, *, key: str = "user/7", unit: Unit = "usd") -> str:
    """A call asks for as much in a budget of five dollars, or of five million tokens, a day; its outcome."""
    if name not in await stage.ports.reader.jobs([name]):
        await stage.submit("answers", name)
    want = Want(key, "day", unit, "UTC", 5_000_000, amount, periods_around("day", "UTC", stage.clock.ms), fixed=True)
    event = encode_event(event_of("s1", loop_item(name, 1, 1, stage.clock.ms)))
    return (await budgets_of(stage).reserve([want], name, event, 60_000)).outcome


async def put(api: Api, status: int = 200, path: str = OF_USER, **body: Any) -> dict[str, Any]:
    response = await api.request("PUT", path, ADMIN, json={"per": "day", **body})
    assert response.status_code == status, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def test_a_budget_is_listed_with_its_sums(api: Api) -> None:
    """In dollars or tokens, its key as it is; a client's key may not."""
    await reserved(api.stage, "job_a", 1_500_000)
    await reserved(api.stage, "job_b", 40, unit="tokens")
    listed = (await api.request("GET", PATH, ADMIN)).json()["budgets"]
    [usd] = [one for one in listed if one["unit"] == "usd"]
    assert (usd["key"], usd["per"], usd["timeZone"], usd["waiting"]) == ("user/7", "day", "UTC", 0)
    assert usd["period"] < usd["resetsAt"]
    sums = [usd[name] for name in ("declared", "limit", "spent", "reserved", "left", "largest")]
    assert sums == [5.0, 5.0, 0.0, 1.5, 3.5, 0.0]
    [tokens] = [one for one in listed if one["unit"] == "tokens"]
    assert (tokens["reserved"], tokens["left"]) == (40, 4_999_960)
    assert (await api.request("GET", PATH, ADMIN, params={"key": "nobody"})).json() == {"budgets": []}
    assert_problem(await api.request("GET", PATH, ACME), 403)


async def test_pages_lead_through_all_budgets(api: Api) -> None:
    for n in range(5):
        await reserved(api.stage, f"job_{n}", 1, key=f"user:{n}")
    seen, query = list[str](), {"limit": "2"}
    while True:
        page = (await api.request("GET", PATH, ADMIN, params=query)).json()
        seen += [one["key"] for one in page["budgets"]]
        if "cursor" not in page:
            break
        query["cursor"] = page["cursor"]
    assert sorted(seen) == [f"user:{n}" for n in range(5)]


async def test_a_raise_wakes_those_that_wait(api: Api) -> None:
    """By the request itself; a limit of every period stays, and one that is taken away leaves what is spent."""
    assert [await reserved(api.stage, name, 3_000_000) for name in ("job_a", "job_b")] == ["granted", "busy"]
    before = len(api.stage.queue.published)
    assert (await put(api, limit=5.5))["waiting"] == 1
    assert len(api.stage.queue.published) == before
    row = await put(api, limit=6, period="every")
    assert (row["limit"], row["waiting"], row["reserved"]) == (6.0, 1, 3.0)  # until it has asked
    [(_, woken)] = api.stage.queue.published[before:]
    assert '"job_b"' in woken.body
    gone = await api.request("DELETE", OF_USER, ADMIN, params={"per": "day"})
    assert gone.status_code == 204
    [row] = (await api.request("GET", PATH, ADMIN, params={"key": "user/7"})).json()["budgets"]
    assert (row["limit"], row["reserved"]) == (5.0, 3.0)


async def test_whoever_could_not_be_woken_waits_on_until_the_raise_is_repeated(api: Api) -> None:
    """The queue takes no messages: 503, and the limit is set."""
    for name in ("job_a", "job_b"):
        await reserved(api.stage, name, 3_000_000)
    api.stage.queue.failing.append(PublishError("full"))
    assert (await put(api, 503, limit=6))["status"] == 503
    [row], _ = await budgets_of(api.stage).rows("user/7")
    assert (row.limit, row.waiting) == (6_000_000, 1)
    before = len(api.stage.queue.published)
    await put(api, limit=6)
    assert len(api.stage.queue.published) == before + 1


async def test_an_unknown_key_is_accepted(api: Api) -> None:
    """0 stops every call; what no call has asked for has no declared limit."""
    row = await put(api, path=f"{PATH}/new", limit=0)
    assert (row["declared"], row["limit"], row["unit"]) == (None, 0.0, "usd")
    assert await reserved(api.stage, "job_a", 0, key="new") == "used_up"
    assert (await put(api, path=f"{PATH}/tokens", limit=3, unit="tokens"))["unit"] == "tokens"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"limit": -1}, "greater than or equal to 0, got -1"),
        ({"limit": "20"}, "valid number, got '20'"),
        ({"limit": 1, "per": "week"}, "'day', 'month' or 'total', got 'week'"),
        ({"limit": 1, "unit": "eur"}, "'usd' or 'tokens', got 'eur'"),
        ({"limit": 1, "period": "next"}, "'present' or 'every', got 'next'"),
        ({"limit": 1}, "the key 'user/7' has budgets in usd and tokens: pass one of them"),
        ({"limit": 1.5, "unit": "tokens"}, "a number of tokens must be whole, got 1.5: pass 2"),
        ({"limit": 2e9, "unit": "usd"}, "in US dollars is at most 1000000000, got 2000000000.0"),
        ({"limit": 1e-300, "unit": "usd"}, "in US dollars is 0 or at least 0.000001, got 1e-300"),
        ({"limit": 1e16, "unit": "tokens"}, "less than or equal to 9007199254740992"),
        ({}, "limit: Field required"),
    ],
)
async def test_a_wrong_limit_is_refused_with_what_is_wrong(api: Api, body: dict[str, Any], message: str) -> None:
    for unit in ("usd", "tokens"):
        await reserved(api.stage, f"job_{unit}", 1, unit=unit)
    answer = await put(api, 422, **body)
    assert message in answer["detail"]


async def test_a_wrong_query_is_refused(api: Api) -> None:
    wrong: tuple[tuple[str, str, dict[str, str], str], ...] = (
        ("GET", PATH, {"limit": "0"}, "limit"),
        ("GET", PATH, {"cursor": "x"}, "cursor"),
        ("DELETE", OF_USER, {}, "per"),
        ("DELETE", f"{PATH}/{'x' * 201}", {"per": "day"}, "key"),
    )
    for method, path, query, field in wrong:
        assert_problem(await api.request(method, path, ADMIN, params=query), 422, field)


async def test_changes_are_in_the_audit_log(api: Api) -> None:
    await put(api, limit=20)
    [entry] = await api.stage.audit_log.entries()
    assert (entry.action, entry.status, entry.detail) == (
        "PUT /api/admin/budgets/{key:any}",
        200,
        {"body": {"per": "day", "limit": 20}},
    )
