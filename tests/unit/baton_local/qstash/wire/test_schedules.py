from pathlib import Path

from baton_local.qstash.clock import VirtualClock
from tests.unit.baton_local.qstash.served import Served, serving

URL = "https://example.com/hook?x=1"
MINUTELY = {"Upstash-Cron": "* * * * *"}


async def test_schedule_life_over_http(server: Served) -> None:
    """Create, pause by either method, resume, delete; the query belongs to the destination."""
    made = await server.call("POST", f"/v2/schedules/{URL}", content=b"tick", headers=MINUTELY)
    path = f"/v2/schedules/{made['scheduleId']}"
    assert (await server.call("GET", path))["destination"] == URL
    await server.call("POST", f"{path}/pause")
    await server.advance(120)
    assert not server.sent
    await server.call("PATCH", f"{path}/resume")
    await server.advance(60)
    (request,) = server.sent
    assert dict(request.headers)["Upstash-Schedule-Id"] == made["scheduleId"]
    assert (request.url, request.body) == (URL, b"tick")
    assert len(await server.call("GET", "/v2/schedules")) == 1
    await server.call("DELETE", path)
    assert (await server.client.get(path)).status_code == 404


async def test_schedules_survive_a_restart_without_making_up_for_ticks(tmp_path: Path) -> None:
    clock = VirtualClock()
    async with serving(tmp_path, clock=clock) as server:
        made = await server.call("POST", f"/v2/schedules/{URL}", content=b"\xff", headers=MINUTELY)
        before = await server.call("GET", f"/v2/schedules/{made['scheduleId']}")
    clock.advance(3_600_000)
    async with serving(tmp_path, clock=clock) as server:
        await server.settle()
        assert not server.sent
        after = await server.call("GET", f"/v2/schedules/{made['scheduleId']}")
        assert after == {**before, "nextScheduleTime": before["nextScheduleTime"] + 3_600_000}
        await server.advance(60)
        assert [request.body for request in server.sent] == [b"\xff"]
