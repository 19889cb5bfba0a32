"""What operators ask of a deployment: admission, health, tools, usage, and messages that are sent again."""

from typing import Any
from unittest.mock import AsyncMock

import pytest
from msgspec.structs import replace

from baton.server.api.admin import control
from baton.server.api.admin.usage import usage_and_cost
from baton.server.site import build_site
from baton.settings.service_prices import LIST, Prices
from baton_events.errors import PublishError, StoreError, StoreFullError, StoreRefusedError
from baton_events.timestamps import rfc3339
from tests.unit.baton.kit.stage import SETTINGS, Stage
from tests.unit.baton.server.api.client import ADMIN, Api, assert_problem

WORKER = "/api/admin/agent-worker"


async def worker(api: Api, method: str = "GET") -> dict[str, object]:
    response = await api.request(method, WORKER, ADMIN)
    assert response.status_code == 200, response.text
    view: dict[str, object] = response.json()
    return view


async def test_a_start_that_could_not_notify_notifies_when_it_is_repeated(api: Api) -> None:
    """503; the slots are given, and nobody has heard of them."""
    never = dict.fromkeys(("stoppedAt", "lastSweepAt"))
    idle: dict[str, object] = {
        "running": True,
        "activeJobs": 0,
        "pendingJobs": 0,
        "maxConcurrentJobs": 3,
        "maxJobsPerTenant": 0,
    }
    idle["history"] = []
    assert await worker(api) == {**never, **idle}
    await worker(api, "DELETE")
    job = await api.submitted()
    await api.stage.run()
    for _ in range(2):  # the sweep's message, and what tells the job
        api.stage.queue.failing.append(PublishError("full"))
    assert (await api.request("POST", WORKER, ADMIN)).status_code == 503
    await worker(api, "POST")
    await api.stage.run()
    assert (await api.read(job["id"]))["status"] == "completed"


async def test_a_process_is_not_ready_while_its_store_is_down(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    api.stage.reader.connection.down = StoreError("no answer from https://store.internal")
    response = await api.request("GET", "/readyz", "")
    assert response.status_code == 503
    assert "store.internal" not in response.text
    api.stage.reader.connection.down = StoreFullError("OOM command not allowed")
    full = await api.request("GET", "/readyz", "")
    assert (full.status_code, full.json()) == (503, {"status": f"the store {StoreFullError.detail}"})
    api.stage.reader.connection.down = StoreRefusedError("the store does not let its user 'app' run TIME")
    refused = [await api.request("GET", "/readyz", ""), await api.request("GET", "/api/agent-jobs/job_1", ADMIN)]
    assert [answer.status_code for answer in refused] == [503, 503]
    assert all("does not let its user do this" in answer.text and "'app'" not in answer.text for answer in refused)
    assert caplog.text.count("let its user 'app' run TIME") == 2
    api.stage.reader.connection.down = None
    response = await api.request("GET", "/readyz", "")
    assert response.status_code == 200
    assert response.json() == {"status": "ready", "store": "REST"}, "no agent: whoever asks shows no key"


async def test_what_a_job_expects_is_replayed(api: Api) -> None:
    """Nothing for one that has ended; an unknown one is 404. A message whose step is open is sent once more."""
    job = await api.submitted(jobType="answers")
    message_id = api.stage.queue.published[-1][0]
    answer = (await api.request("POST", f"/api/admin/messages/{message_id}/replay", ADMIN)).json()
    assert answer == {"messageId": message_id, "standing": "due", "sent": True, "jobId": job["id"], "expected": 1}
    assert api.stage.queue.published[-1][0] != message_id
    path = f"/api/admin/messages/{job['id']}/replay"
    assert (await api.request("POST", path, ADMIN)).json() == {"jobId": job["id"], "driven": 1}
    await api.stage.run()
    assert (await api.request("POST", path, ADMIN)).json()["driven"] == 0
    assert_problem(await api.request("POST", "/api/admin/messages/job_0/replay", ADMIN), 404)


async def test_every_tool_is_listed_with_what_became_of_its_attempts(api: Api) -> None:
    before = (await api.request("GET", "/api/admin/tools", ADMIN)).json()
    unused = {"calls": 0, "failures": 0, "p50Ms": None, "p95Ms": None}
    assert before["tools"][0] == {"name": "add", "capabilities": [], **unused}
    await api.stage.submit("adds", "job_1")
    await api.stage.submit("breaks", "job_2")
    await api.stage.run()
    response = await api.request("GET", "/api/admin/tools", ADMIN)
    assert response.status_code == 200
    found = {row["name"]: row for row in response.json()["tools"]}
    assert (found["add"]["calls"], found["add"]["failures"], found["add"]["p95Ms"]) == (2, 0, 0)
    assert (found["broken"]["calls"], found["broken"]["failures"]) == (2, 2)


USAGE = "/api/admin/usage"


async def ended(api: Api) -> dict[str, Any]:
    job = await api.submitted(jobType="adds")
    await api.stage.run()
    return await api.read(job["id"])


async def test_a_tenants_jobs_add_up_by_month_and_a_sessions(api: Api) -> None:
    """Tokens, model cost, and what the usage ledger said when each told its end."""
    jobs = [await ended(api) for _ in range(2)]
    shown_as = {"requests": "redisRequests", "commands": "redisCommands", "shared": "sharedRequests"}
    shown_as["function_ms"] = "functionMs"
    await api.stage.ports.counters.add({f"overhead:{name}": 1_000_000 for name in shown_as})
    found = (await api.request("GET", USAGE, ADMIN)).json()
    overhead = found["overhead"]["usage"]
    assert [name for name in shown_as.values() if overhead[name] < 1_000_000] == []
    assert overhead["redisBytes"] > 0  # the page itself has read the sums
    assert [price["source"] for price in found["prices"]] == [price.source for price in LIST]
    assert all(price["usd"] == price["listUsd"] for price in found["prices"])
    (row,) = found["tenants"]
    assert (row["tenant"], row["month"]) == ("acme", rfc3339(api.stage.clock.ms)[:7])
    assert row["usage"]["jobs"] == 2
    for name in ("inputTokens", "outputTokens"):
        assert row["usage"][name] == sum(job["usage"][name] for job in jobs)
    assert row["usage"]["redisRequests"] > 0
    for query, rows in (("tenant=acme", 1), ("tenant=other", 0), ("month=1999-01", 0)):
        assert len((await api.request("GET", f"{USAGE}?{query}", ADMIN)).json()["tenants"]) == rows
    usage = (await api.request("GET", f"/api/sessions/{jobs[0]['sessionId']}?tenant=acme", ADMIN)).json()["usage"]
    assert (usage["jobs"], usage["cost"]) == (1, jobs[0]["cost"])
    assert usage["redisRequests"] == jobs[0]["usage"]["redisRequests"]


def test_sums_are_shown_by_their_names_and_what_is_not_counted_is_zero() -> None:
    names = {"jobs": "jobs", "input_tokens": "inputTokens", "output_tokens": "outputTokens"}
    names |= {"messages": "messages", "deliveries": "deliveries", "redis_requests": "redisRequests"}
    names |= {"redis_commands": "redisCommands", "redis_bytes": "redisBytes", "function_ms": "functionMs"}
    used = {name: number for number, name in enumerate(names, 7)}
    found = usage_and_cost({**used, "micro_usd": 2_500_000, "mb_ms": 3 * 1024 * 1000}, Prices())
    shown = {names[name]: number for name, number in used.items()}
    assert found["usage"] == shown | {"costUsd": 2.5, "gbSeconds": 3.0}
    nothing = usage_and_cost({}, Prices())
    assert {*nothing["usage"].values(), *nothing["cost"].values()} == {0}
    paid = usage_and_cost({"messages": 10**6}, Prices())["cost"]
    assert paid["queueUsd"] == paid["totalUsd"] > 0


async def test_the_last_days_are_requested_by_agent_tenant_and_model(api: Api) -> None:
    job = await ended(api)
    (row,) = (await api.request("GET", f"{USAGE}?by=day", ADMIN)).json()["rows"]
    assert row["day"] == rfc3339(api.stage.clock.ms)[:10]
    assert (row["agent"], row["tenant"], row["completed"], row["failed"]) == ("adds", "acme", 1, 0)
    assert row["usage"]["inputTokens"] == job["usage"]["inputTokens"]
    (month,) = (await api.request("GET", f"{USAGE}?by=month&agent=adds&model={row['model']}", ADMIN)).json()["rows"]
    assert (month["month"], month["usage"]) == (row["day"][:7], row["usage"])
    for query in ("agent=other", "tenant=other", "model=other", "to=2020-01-01"):
        assert (await api.request("GET", f"{USAGE}?by=day&{query}", ADMIN)).json()["rows"] == []


@pytest.mark.parametrize(
    "query", ["month=soon", "by=week", "agent=adds", "by=day&month=2026-11", "by=day&from=2026-02-01&to=2026-01-01"]
)
async def test_a_query_that_means_nothing_is_refused(api: Api, query: str) -> None:
    assert (await api.request("GET", f"{USAGE}?{query}", ADMIN)).status_code == 422


async def test_a_start_of_the_app_starts_the_admission_where_that_is_asked(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """By ENABLE_AGENT_WORKER; without the store the app starts all the same, and the log says what was left."""
    for asked in (False, True):
        stage = Stage(settings=replace(SETTINGS, enable_agent_worker=asked))
        await stage.ports.admission_control.stop(stage.clock.now_ms())
        site = build_site(stage.container)
        async with site.router.lifespan_context(site):
            assert bool((await stage.ports.admission_control.state()).stopped_ms) is not asked
    monkeypatch.setattr(control, "start_admission", AsyncMock(side_effect=StoreError("away")))
    asks = build_site(Stage(settings=replace(SETTINGS, enable_agent_worker=True)).container)
    async with asks.router.lifespan_context(asks):
        assert "the admission may still be stopped: away" in caplog.text
