"""`POST /api/admin/agent-jobs/bulk`: one change of many jobs."""

from typing import Any

from baton_events.errors import PublishError
from tests.unit.baton.server.api.client import ADMIN, OTHER, Api
from tests.unit.baton.server.api.jobs.test_job_listing import submitted

PATH = "/api/admin/agent-jobs/bulk"


async def bulk(api: Api, **body: Any) -> dict[str, Any]:
    response = await api.request("POST", PATH, ADMIN, json=body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def statuses(api: Api, ids: list[str]) -> list[str]:
    return [(await api.read(job_id, ADMIN))["status"] for job_id in ids]


async def test_jobs_that_the_filter_means_are_cancelled_and_no_others(api: Api) -> None:
    meant = await submitted(api, 2, sessionId="one", delaySeconds=600)
    others = await submitted(api, 1, sessionId="two", delaySeconds=600)
    others += await submitted(api, 1, OTHER, sessionId="one", delaySeconds=600)
    requested = {"action": "cancel", "filter": {"sessionId": "one", "tenant": "acme"}}
    assert await bulk(api, **requested, dryRun=True) == {"matched": 2, "changed": 0}
    assert await statuses(api, meant) == ["pending"] * 2
    assert await bulk(api, **requested) == {"matched": 2, "changed": 2}
    assert await statuses(api, meant) == ["cancelled"] * 2
    assert await statuses(api, others) == ["pending"] * 2
    assert (await api.read(meant[0]))["error"]["message"] == "cancelled by operators"
    assert await bulk(api, **requested) == {"matched": 0, "changed": 0}


async def test_failed_and_cancelled_jobs_are_retried_and_no_others(api: Api) -> None:
    done = await submitted(api, 1)
    await api.stage.run()
    for given in ({}, {"status": "completed"}, {"status": "completed,pending"}):
        assert await bulk(api, action="cancel", filter=given) == {"matched": 0, "changed": 0}
    ended = await submitted(api, 2, delaySeconds=600)
    assert (await bulk(api, action="cancel", filter={}))["changed"] == 2
    await api.stage.run()
    assert await bulk(api, action="retry", filter={}, dryRun=True) == {"matched": 2, "changed": 0}
    answer = await bulk(api, **{"action": "retry", "from": "start", "filter": {"status": "cancelled,failed"}})
    assert answer == {"matched": 2, "changed": 2}
    await api.stage.run()
    assert await statuses(api, [*ended, *done]) == ["completed"] * 3
    assert await bulk(api, action="retry", filter={}) == {"matched": 0, "changed": 0}


async def test_a_call_changes_a_bounded_number_and_a_cursor_leads_to_the_rest(api: Api) -> None:
    jobs = await submitted(api, 7, delaySeconds=600)
    answers = [await bulk(api, action="cancel", filter={}, limit=3)]
    while "cursor" in answers[-1]:
        answers.append(await bulk(api, action="cancel", filter={}, limit=3, cursor=answers[-1]["cursor"]))
    assert [(answer["matched"], answer["changed"]) for answer in answers] == [(3, 3), (3, 3), (1, 1)]
    assert await statuses(api, jobs) == ["cancelled"] * 7


async def test_a_job_that_could_not_be_changed_is_named_and_the_others_are_changed(api: Api) -> None:
    jobs = await submitted(api, 2, delaySeconds=600)
    api.stage.queue.failing.append(PublishError("the queue at http://inside is full"))
    answer = await bulk(api, action="cancel", filter={})
    (refused,) = answer.pop("refused")
    assert answer == {"matched": 2, "changed": 1}
    assert refused["id"] in jobs
    assert (refused["status"], "inside" in refused["detail"]) == (503, False)
    assert await bulk(api, action="cancel", filter={}) == {"matched": 1, "changed": 1}
