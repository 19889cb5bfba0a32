"""What jobs are found by: tags, which a submission gives its job, and the words of tasks, answers and errors."""

from typing import Any

from baton.engine.all_jobs.job_texts import SEARCHED_CHARS, words_of
from tests.unit.baton.server.api.client import ADMIN, OTHER, Api


async def found(api: Api, query: str, key: str = ADMIN) -> list[str]:
    answer = await api.request("GET", f"/api/agent-jobs?{query}", key)
    assert answer.status_code == 200, answer.text
    return [job["taskDescription"] for job in answer.json()["jobs"]]


async def tagged(api: Api, task: str, *tags: str, key: str = "key-of-acme") -> dict[str, Any]:
    api.stage.clock.ms += 1
    return await api.submitted(key, taskDescription=task, tags=tags)


async def test_jobs_are_found_by_all_tags_that_are_asked_for(api: Api) -> None:
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
    job = await tagged(api, "one", "prod")
    await api.stage.run()
    fork = await api.request("POST", f"/api/agent-jobs/{job['id']}/fork", json={"turn": 1})
    assert fork.json()["tags"] == ["prod"]
    body = {"action": "cancel", "filter": {"tag": "prod"}}
    assert (await api.request("POST", "/api/admin/agent-jobs/bulk", ADMIN, json=body)).json()["changed"] == 1
    await api.request("PATCH", f"/api/agent-jobs/{fork.json()['id']}", json={"action": "retry", "from": "start"})
    await api.stage.run()
    assert await found(api, "tag=prod&status=completed") == ["one", "one"]


async def test_all_words_must_occur_in_task_or_answer(api: Api) -> None:
    """In whatever case and order; quotes make a phrase; a job that runs is found by its task."""
    await tagged(api, "Refund the Lamp\n of order 7")
    await tagged(api, "Refund the lens")
    await api.stage.run()
    await tagged(api, "refund nothing", key=OTHER)
    lamp = "Refund the Lamp\n of order 7"
    assert await found(api, "q=lamp+REFUND") == [lamp]
    assert await found(api, "q=refund") == ["refund nothing", "Refund the lens", lamp]
    assert await found(api, "q=refund", OTHER) == ["refund nothing"]
    assert await found(api, "q=done+lens") == ["Refund the lens"]
    assert await found(api, 'q="the lamp of"') == [lamp]
    assert await found(api, 'q="lamp the"') == []
    assert words_of('  Two  "Words  here" two "" open "quote') == ("two", "words here", "open", "quote")
    assert await found(api, "q=refund&status=pending,processing,waiting") == ["refund nothing"]
    assert await found(api, "q=refund&status=completed&jobType=answers") == ["Refund the lens", lamp]


async def test_errors_are_found_and_the_end_of_a_retry_replaces_the_one_before(api: Api) -> None:
    """A text that is not said any more finds nothing, and is kept no more."""
    job = await api.submitted(jobType="breaks", taskDescription="try it")
    await api.stage.run()
    before = {row for row in api.stage.redis.rows() if row.startswith("x:")}
    answer = (await api.read(job["id"]))["result"]["answer"]
    assert await found(api, f"q={answer}") == ["try it"]
    await api.request("PATCH", f"/api/agent-jobs/{job['id']}", json={"action": "cancel"})
    await api.request("PATCH", f"/api/agent-jobs/{job['id']}", json={"action": "retry", "from": "start"})
    await api.stage.run()
    assert len([row for row in api.stage.redis.rows() if row.startswith("x:")]) == len(before)


async def test_pages_of_a_search_follow_each_other(api: Api) -> None:
    for number in range(5):
        await tagged(api, f"find {number}")
    first = (await api.request("GET", "/api/agent-jobs?q=find&limit=3", ADMIN)).json()
    assert [job["taskDescription"] for job in first["jobs"]] == ["find 4", "find 3", "find 2"]
    assert "lookedBackTo" not in first
    assert await found(api, f"q=find&limit=3&cursor={first['cursor']}") == ["find 1", "find 0"]


async def test_only_the_beginning_of_a_text_is_kept(api: Api) -> None:
    """So that a long answer costs the list little; not secrets in JSON, and nothing of a deleted job."""
    await tagged(api, "start " + "x" * SEARCHED_CHARS + " end")
    await tagged(api, '{"password": "hunter22", "of": "ann"}')
    assert (await found(api, "q=end"), len(await found(api, "q=start"))) == ([], 1)
    assert (await found(api, "q=hunter22"), len(await found(api, "q=ann"))) == ([], 1)
    deleted = await tagged(api, "a secret plan")
    await api.stage.run()
    assert any("secret plan" in row for row in api.stage.redis.rows())
    assert (await api.request("DELETE", f"/api/agent-jobs/{deleted['id']}")).status_code == 204
    assert not any("secret plan" in row for row in api.stage.redis.rows())
