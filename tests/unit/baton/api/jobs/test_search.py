"""Text search over tasks, answers and errors: `?q=`."""

import pytest

from baton.engine.all_jobs.job_texts import SEARCHED_CHARS, words_of
from tests.unit.baton.api.client import ADMIN, OTHER, Api, assert_problem
from tests.unit.baton.api.jobs.test_tags import found, tagged


async def test_all_words_must_occur_in_task_or_answer(api: Api) -> None:
    """In whatever case and order; quotes make a phrase; a job that runs is found by its task."""
    await tagged(api, "Refund the Lamp\n of order 7")
    await tagged(api, "Refund the lens")
    await api.stage.run()
    await tagged(api, "refund nothing", key=OTHER)
    assert await found(api, "q=lamp+REFUND") == ["Refund the Lamp\n of order 7"]
    assert await found(api, "q=refund") == ["refund nothing", "Refund the lens", "Refund the Lamp\n of order 7"]
    assert await found(api, "q=refund", OTHER) == ["refund nothing"]
    assert await found(api, "q=done+lens") == ["Refund the lens"]
    assert await found(api, 'q="the lamp of"') == ["Refund the Lamp\n of order 7"]
    assert await found(api, 'q="lamp the"') == []
    assert await found(api, "q=refund&status=pending,processing,waiting") == ["refund nothing"]
    assert await found(api, "q=refund&status=completed&jobType=answers") == [
        "Refund the lens",
        "Refund the Lamp\n of order 7",
    ]


async def test_errors_are_found_and_the_end_of_a_retry_replaces_the_one_before(api: Api) -> None:
    """A text that is not said any more finds nothing, and is kept no more."""
    job = await api.submitted(jobType="breaks", taskDescription="try it")
    await api.stage.run()
    before = {row for row in api.stage.admission.rows if row.startswith("x:")}
    answer = (await api.read(job["id"]))["result"]["answer"]
    assert await found(api, f"q={answer}") == ["try it"]
    await api.request("PATCH", f"/api/agent-jobs/{job['id']}", json={"action": "cancel"})
    await api.request("PATCH", f"/api/agent-jobs/{job['id']}", json={"action": "retry", "from": "start"})
    await api.stage.run()
    assert len([row for row in api.stage.admission.rows if row.startswith("x:")]) == len(before)


async def test_a_deleted_job_leaves_no_text(api: Api) -> None:
    """At once, not when its row is pruned."""
    job = await api.submitted(taskDescription="a secret plan")
    await api.stage.run()
    assert any("secret" in row for row in api.stage.admission.rows)
    assert (await api.request("DELETE", f"/api/agent-jobs/{job['id']}")).status_code == 204
    assert not any("secret" in row for row in api.stage.admission.rows)


async def test_pages_of_a_search_follow_each_other(api: Api) -> None:
    """A short page says down to when it has looked."""
    for number in range(5):
        await tagged(api, f"find {number}")
    first = (await api.request("GET", "/api/agent-jobs?q=find&limit=3", ADMIN)).json()
    assert [job["taskDescription"] for job in first["jobs"]] == ["find 4", "find 3", "find 2"]
    assert "lookedBackTo" not in first
    assert await found(api, f"q=find&limit=3&cursor={first['cursor']}") == ["find 1", "find 0"]


@pytest.mark.parametrize("text", ["", "%20", "%22%22", "x" * 201])
async def test_a_search_without_words_is_refused(api: Api, text: str) -> None:
    """And one that is too long."""
    assert_problem(await api.request("GET", f"/api/agent-jobs?q={text}", ADMIN), 422, "q")


async def test_only_the_beginning_of_a_text_is_kept(api: Api) -> None:
    """So that a long answer costs the list little; secrets in JSON are not kept."""
    await tagged(api, "start " + "x" * SEARCHED_CHARS + " end")
    await tagged(api, '{"password": "hunter22", "of": "ann"}')
    assert (await found(api, "q=end"), len(await found(api, "q=start"))) == ([], 1)
    assert (await found(api, "q=hunter22"), len(await found(api, "q=ann"))) == ([], 1)


def test_words_are_texts_between_spaces_or_quotes() -> None:
    """Each once."""
    assert words_of('  Two  "Words  here" two ""') == ("two", "words here")
    assert words_of('open "quote') == ("open", "quote")
