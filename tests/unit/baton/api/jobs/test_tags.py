"""Tags: words that a submission gives its job, by which it is found."""

from typing import Any

import pytest

from baton.api.jobs.submission import SubmitBody, without_unknown
from baton.api.schedules import ScheduleBody
from tests.unit.baton.api.client import ADMIN, OTHER, Api, assert_problem


async def found(api: Api, query: str, key: str = ADMIN) -> list[str]:
    """The tasks of the jobs that a list has, newest first."""
    answer = await api.request("GET", f"/api/agent-jobs?{query}", key)
    assert answer.status_code == 200, answer.text
    return [job["taskDescription"] for job in answer.json()["jobs"]]


async def tagged(api: Api, task: str, *tags: str, key: str = "key-of-acme") -> dict[str, Any]:
    """A job with these tags, a moment after the one before."""
    api.stage.clock.ms += 1
    return await api.submitted(key, taskDescription=task, tags=tags)


async def test_jobs_are_found_by_all_tags_that_are_asked_for(api: Api) -> None:
    """Of a tenant or of all, ended or not; a tag is a whole word."""
    assert (await tagged(api, "one", "prod", "order 7"))["tags"] == ["prod", "order 7"]
    await tagged(api, "two", "prod")
    await api.stage.run()
    await tagged(api, "three", "order 7", "prod", key=OTHER)
    await tagged(api, "four")
    assert await found(api, "tag=prod") == ["three", "two", "one"]
    assert await found(api, "tag=prod&tag=order+7") == ["three", "one"]
    assert await found(api, "tag=prod", OTHER) == ["three"]
    assert await found(api, "tag=prod&status=completed") == ["two", "one"]
    assert await found(api, "tag=prod&status=pending,processing,waiting") == ["three"]
    assert await found(api, "tag=pro") == []


async def test_a_fork_a_retry_and_a_bulk_change_know_tags(api: Api) -> None:
    """A fork has those of its job; a retried one keeps its own, and is listed once."""
    job = await tagged(api, "one", "prod")
    await api.stage.run()
    fork = await api.request("POST", f"/api/agent-jobs/{job['id']}/fork", json={"turn": 1})
    assert fork.json()["tags"] == ["prod"]
    body = {"action": "cancel", "filter": {"tag": "prod"}}
    assert (await api.request("POST", "/api/admin/agent-jobs/bulk", ADMIN, json=body)).json()["changed"] == 1
    await api.request("PATCH", f"/api/agent-jobs/{fork.json()['id']}", json={"action": "retry", "from": "start"})
    await api.stage.run()
    assert await found(api, "tag=prod&status=completed") == ["one", "one"]


@pytest.mark.parametrize(
    ("tags", "field"),
    [
        (["a", "b", "a"], "tags"),
        ([""], "tags.0"),
        (["a", " "], "tags.1"),
        (["line\nbreak"], "tags.0"),
        (["x" * 65], "tags.0"),
        ([str(number) for number in range(11)], "tags"),
    ],
)
async def test_wrong_tags_are_refused_by_name(api: Api, tags: list[str], field: str) -> None:
    """Twice the same, too long, too many, not printable."""
    assert_problem(await api.submit(tags=tags), 422, field)


def test_a_body_without_tags_is_what_it_was_to_versions_before() -> None:
    """So that a request that is repeated across an upgrade is known, and a schedule is not made twice."""
    body, full = {"jobType": "a"}, {"jobType": "a", "tags": ["t"], "callbackUrl": "https://example.com/"}
    assert without_unknown(SubmitBody.model_validate(body)) == {"tags", "callback_url"}
    assert without_unknown(SubmitBody.model_validate(full)) == set()
    assert "tags" in without_unknown(ScheduleBody.model_validate({**body, "cron": "0 9 * * *"}))


async def test_the_same_key_with_other_tags_is_another_body(api: Api) -> None:
    """As with each field that is submitted."""
    assert (await api.submit(idempotency_key="k", tags=["a"])).status_code == 202
    assert_problem(await api.submit(idempotency_key="k", tags=["b"]), 422)
