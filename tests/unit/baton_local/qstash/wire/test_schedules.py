from pathlib import Path

from tests.unit.baton_local.qstash.served import serving
from tests.unit.baton_local.qstash.virtual_clock import VirtualClock

URL = "https://example.com/hook?x=1"
MINUTELY = {"Upstash-Cron": "* * * * *"}


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
