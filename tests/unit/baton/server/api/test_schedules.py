"""`/api/agent-schedules`: jobs that recur."""

import json
from typing import Any

import pytest

from baton_events.ids import scheduled_job_id
from baton_events.schema import parse_event
from tests.unit.baton.server.api.client import ACME, ADMIN, OTHER, Api, assert_problem

PATH = "/api/agent-schedules"
BODY = {"jobType": "adds", "taskDescription": "do it", "cron": "0 9 * * 1-5", "timeZone": "Europe/Berlin"}


async def made(api: Api, key: str = ACME, headers: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
    response = await api.request("POST", PATH, key, json={**BODY, **fields}, headers=headers or {})
    assert response.status_code == 201, response.text
    schedule: dict[str, Any] = response.json()
    return schedule


async def test_a_schedule_shows_what_it_starts_and_when(api: Api) -> None:
    schedule = await made(api, priority=7)
    assert {name: schedule[name] for name in (*BODY, "priority", "paused", "sessionId", "lastJobs")} == {
        **BODY,
        "priority": 7,
        "paused": False,
        "sessionId": None,
        "lastJobs": [],
    }
    assert api.stage.schedules.known[schedule["id"]].cron == "CRON_TZ=Europe/Berlin 0 9 * * 1-5"
    assert (await api.request("GET", f"{PATH}/{schedule['id']}", ACME)).json() == schedule


async def test_each_tick_starts_a_job_with_a_session_of_its_own(api: Api) -> None:
    schedule_id = (await made(api))["id"]
    for message_id in ("tick-1", "tick-1", "tick-2"):
        await api.stage.deliver(parse_event(api.stage.schedules.known[schedule_id].body.encode()), message_id)
    await api.stage.run()
    jobs = (await api.request("GET", "/api/agent-jobs", ACME)).json()["jobs"]
    assert [job["status"] for job in jobs] == ["completed", "completed"]
    assert len({job["sessionId"] for job in jobs}) == 2
    assert {job["taskDescription"] for job in jobs} == {"do it"}


async def test_the_same_request_again_makes_no_second_schedule(api: Api) -> None:
    """A client repeats what it got no answer to; under an Idempotency-Key the later body counts."""
    first = await made(api)
    assert (await made(api))["id"] == first["id"]
    others = [await made(api, cron="0 8 * * *"), await made(api, taskDescription="more"), await made(api, OTHER)]
    assert len({first["id"], *(each["id"] for each in others)}) == 4
    key = {"Idempotency-Key": "daily"}
    padded = {"Idempotency-Key": "daily "}
    named, changed = await made(api, headers=key), await made(api, headers=padded, cron="0 7 * * *")
    assert (named["id"], changed["cron"]) == (changed["id"], "0 7 * * *")


async def test_a_schedule_is_paused_goes_on_and_is_deleted(api: Api) -> None:
    schedule = await made(api)
    path = f"{PATH}/{schedule['id']}"
    assert (await api.request("GET", PATH, OTHER)).json() == {"schedules": []}
    assert (await api.request("GET", PATH, ADMIN)).json() == {"schedules": [schedule]}
    assert_problem(await api.request("GET", f"{PATH}/baton-sweep", ADMIN), 404)
    assert (await api.request("PATCH", path, ACME, json={"paused": True})).json()["paused"] is True
    assert (await api.request("PATCH", path, ACME, json={"paused": False})).json()["paused"] is False
    assert (await api.request("DELETE", path, ACME)).status_code == 204
    assert "there is no schedule" in assert_problem(await api.request("GET", path, ACME), 404)


async def test_a_schedule_starts_its_job_now_each_time_that_it_is_asked(api: Api) -> None:
    """Also one that is paused; others may not."""
    schedule = await made(api)
    path = f"{PATH}/{schedule['id']}"
    await api.request("PATCH", path, ACME, json={"paused": True})
    assert (await api.request("PATCH", path, OTHER, json={"runNow": True})).status_code == 403
    started = []
    for _ in range(2):
        view = (await api.request("PATCH", path, ACME, json={"runNow": True})).json()
        assert view["paused"] is True
        started += view["lastJobs"]
        api.stage.clock.ms += 1
    await api.stage.run()
    jobs = (await api.request("GET", "/api/agent-jobs", ACME)).json()["jobs"]
    assert {job["id"]: job["status"] for job in jobs} == dict.fromkeys(started, "completed")
    await api.stage.deliver(parse_event(api.stage.schedules.known[schedule["id"]].body.encode()), "tick")
    (view,) = (await api.request("GET", PATH, ACME)).json()["schedules"]
    assert view["lastJobs"] == [scheduled_job_id(schedule["id"], "tick"), *started[::-1]]


async def test_a_tick_that_was_skipped_names_no_job(api: Api) -> None:
    schedule_id = (await made(api, sessionId="s"))["id"]
    event = json.loads(api.stage.schedules.known[schedule_id].body)
    event["payload"]["command"]["schedule"]["overlap"] = "skip"
    for tick in ("tick-1", "tick-2"):
        await api.stage.deliver(parse_event(json.dumps(event).encode()), tick)
    view = (await api.request("GET", f"{PATH}/{schedule_id}", ACME)).json()
    assert view["lastJobs"] == [scheduled_job_id(schedule_id, "tick-1")]


NO_CRONS = (
    *("every day", "CRON_TZ=UTC 0 9 * * *", "@daily", "* * * * * *"),
    *("0 9 * * 1\u20135", "\uff10 9 * * *", "0\xa09 * * *", "0 9 * * \u2217", "0 9 * * *\n", "0 9 * * 1\0"),
)


@pytest.mark.parametrize(
    ("fields", "field", "why"),
    [
        *(({"cron": cron}, "cron", "no cron expression that the queue takes: five fields") for cron in NO_CRONS),
        ({"timeZone": "Mars/Olympus"}, "timeZone", "unknown time zone 'Mars/Olympus'"),
        ({"timeZone": "localtime"}, "timeZone", "unknown time zone 'localtime'"),
        ({"jobType": "nobody"}, "jobType", "unknown agent 'nobody'"),
        ({"delaySeconds": 5}, "delaySeconds", "Extra inputs are not permitted"),
    ],
)
async def test_a_wrong_field_is_named(api: Api, fields: dict[str, Any], field: str, why: str) -> None:
    response = await api.request("POST", PATH, ACME, json={**BODY, **fields})
    assert response.status_code == 422
    (fault,) = response.json()["errors"]
    assert fault["field"] == field
    assert why in fault["message"]
    assert api.stage.schedules.known == {}
