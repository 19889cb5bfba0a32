from pathlib import Path
from typing import Any

import pytest

from baton_local.qstash.faults import FaultPlan
from tests.unit.baton_local.qstash.served import READ_ONLY, Served, serving

RULE = {"fault": "delay", "url": "http://a/", "count": 2, "seconds": 0.5, "status": 0}


@pytest.fixture
def planned(server: Served) -> Served:
    server.engine.faults = FaultPlan()
    return server


async def test_rules_add_up_until_they_are_cleared(planned: Served) -> None:
    body = {"rules": [RULE, {"fault": "duplicate"}], "clock_skew_seconds": -30}
    view = await planned.call("POST", "/admin/faults", json=body)
    assert view["rules"][0] == RULE
    assert view["clock_skew_seconds"] == -30
    view = await planned.call("POST", "/admin/faults", json={"rules": [{"fault": "answer", "status": 503}]})
    assert [rule["fault"] for rule in view["rules"]] == ["delay", "duplicate", "answer"]
    assert await planned.call("GET", "/admin/faults") == view
    assert await planned.call("DELETE", "/admin/faults") == {"rules": [], "clock_skew_seconds": 0}


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"rules": {}},
        {"rules": [{"fault": "explode"}]},
        {"rules": [{"url": "http://a/"}]},
        {"rules": [RULE | {"count": 0}]},
        {"rules": [RULE | {"seconds": -1}]},
        {"rules": [RULE | {"status": 42}]},
        {"rules": [RULE | {"url": 1}]},
        {"rules": [RULE | {"more": 1}]},
        {"clock_skew_seconds": "1h"},
    ],
)
async def test_a_wrong_plan_is_refused_whole(planned: Served, body: Any) -> None:
    assert (await planned.client.post("/admin/faults", json=body)).status_code == 400
    assert planned.engine.faults == FaultPlan()


async def test_without_the_option_there_is_neither_fault_nor_reset(server: Served) -> None:
    for method, path in (("GET", "/admin/faults"), ("POST", "/admin/faults"), ("POST", "/admin/reset")):
        response = await server.client.request(method, path, json={})
        assert response.status_code == 404
        assert "--faults" in response.json()["error"]


async def test_a_read_only_token_may_look_but_not_plan(planned: Served) -> None:
    headers = {"Authorization": f"Bearer {READ_ONLY}"}
    assert (await planned.client.get("/admin/faults", headers=headers)).status_code == 200
    for path in ("/admin/faults", "/admin/reset"):
        assert (await planned.client.post(path, headers=headers, json={})).status_code == 403


async def test_a_reset_is_on_disk(tmp_path: Path) -> None:
    """After a restart nothing is there; what came after the reset is."""
    async with serving(tmp_path) as served:
        served.engine.faults = FaultPlan()
        await served.call("POST", "/v2/publish/http://a/", content=b"x")
        await served.call("POST", "/v2/publish/http://a/", headers={"Upstash-Delay": "1h"})
        await served.call("POST", "/v2/schedules/http://a/", headers={"Upstash-Cron": "* * * * *"})
        await served.settle()
        await served.call("POST", "/admin/faults", json={"rules": [RULE]})
        await served.call("POST", "/admin/reset")
        assert served.engine.faults == FaultPlan()
        kept = (await served.call("POST", "/v2/publish/http://b/", headers={"Upstash-Delay": "1h"}))["messageId"]
        await served.settle()
    async with serving(tmp_path) as served:
        assert await served.call("GET", "/v2/schedules") == []
        events = (await served.call("GET", "/v2/events"))["events"]
        assert [event["messageId"] for event in events] == [kept]
        assert list(served.engine.state.tenant("defaultUser").live) == [kept]
