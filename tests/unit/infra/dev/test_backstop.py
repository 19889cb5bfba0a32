"""The hourly backstop schedule."""

import httpx
import respx

from infra.dev.backstop import register_backstop

QUEUE = "http://127.0.0.1:8080"
SCHEDULES = f"{QUEUE}/v2/schedules/http://127.0.0.1:8090/workers/sweep"


async def test_the_sweep_is_registered_hourly_under_a_fixed_id() -> None:
    """So that a second start replaces it instead of adding one."""
    with respx.mock:
        route = respx.post(SCHEDULES).respond(json={"scheduleId": "baton-sweep"})
        assert await register_backstop(QUEUE, "token", "http://127.0.0.1:8090") is None
    headers = route.calls.last.request.headers
    assert headers["Upstash-Cron"] == "0 * * * *"
    assert headers["Upstash-Schedule-Id"] == "baton-sweep"
    assert headers["Authorization"] == "Bearer token"


async def test_a_queue_that_knows_no_schedules_is_nothing_to_remark() -> None:
    """The stack starts all the same."""
    with respx.mock:
        respx.post(SCHEDULES).respond(404, json={"error": "not found"})
        assert await register_backstop(QUEUE, "token", "http://127.0.0.1:8090") is None


async def test_a_queue_that_refuses_the_schedule_is_a_remark_and_no_failure() -> None:
    """It names the schedule."""
    with respx.mock:
        respx.post(SCHEDULES).respond(412, json={"error": "too many"})
        remark = await register_backstop(QUEUE, "token", "http://127.0.0.1:8090")
    assert remark is not None
    assert "baton-sweep" in remark


async def test_a_queue_that_went_away_is_a_remark_and_no_failure() -> None:
    """It is started again by its supervisor; the next start registers."""
    with respx.mock:
        respx.post(SCHEDULES).mock(side_effect=httpx.ConnectError("refused"))
        assert await register_backstop(QUEUE, "token", "http://127.0.0.1:8090") is not None
