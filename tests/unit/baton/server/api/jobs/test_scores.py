"""`POST /api/agent-jobs/{id}/scores`: kept with the job, counted by agent and name."""

from typing import Any

from baton.engine.all_jobs.scores import MOST_COUNTED, MOST_OF_A_JOB, OTHERS, SCORES, SCORES_MICRO, Score, counts_of
from tests.unit.baton.server.api.client import ACME, ADMIN, Api, assert_problem


async def score(api: Api, job_id: str, key: str = ACME, **body: Any) -> Any:
    return await api.request("POST", f"/api/agent-jobs/{job_id}/scores", key, json=body)


async def test_a_score_is_kept_with_its_job_and_a_later_one_of_its_name_replaces_it(api: Api) -> None:
    job_id = (await api.submitted())["id"]
    answer = await score(api, job_id, name="helpful", value=0.25, comment="It guesses.")
    assert answer.status_code == 201
    assert answer.json()["by"] == "acme"
    await api.stage.run()
    assert (await score(api, job_id, ADMIN, name="helpful", value=-1)).status_code == 201
    assert (await score(api, job_id, name="polite", value=True)).status_code == 201
    kept = [(one["name"], one["value"], one["comment"]) for one in (await api.read(job_id))["scores"]]
    assert kept == [("helpful", -1, ""), ("polite", True, "")]
    text = (await api.request("GET", "/api/metrics", ADMIN)).text
    assert 'agent_scores_count{job_type="answers",name="helpful"} 1.0' in text
    assert 'agent_scores_sum{job_type="answers",name="helpful"} -1.0' in text


async def test_a_job_has_so_many_scores_at_most_and_an_unknown_or_a_deleted_one_none(api: Api) -> None:
    job_id = (await api.submitted())["id"]
    assert_problem(await score(api, "job_0", name="x", value=1), 404)
    for number in range(MOST_OF_A_JOB):
        await score(api, job_id, name=f"s{number}", value=number)
    assert "the most a job may have" in assert_problem(await score(api, job_id, name="more", value=1), 409)
    assert (await score(api, job_id, name="s0", value=9)).status_code == 201
    await api.stage.run()
    await api.request("DELETE", f"/api/agent-jobs/{job_id}")
    assert_problem(await score(api, job_id, name="x", value=1), 410)


def test_names_beyond_those_that_are_counted_are_counted_together() -> None:
    """A name that is known goes on as it was; a replaced score changes the sum alone."""
    sums = {f"{SCORES}:a:n{number}": 1 for number in range(MOST_COUNTED)}
    assert counts_of("a", Score("n0", 0.5), None, sums) == {f"{SCORES_MICRO}:a:n0": 500_000, f"{SCORES}:a:n0": 1}
    new = counts_of("a", Score("new", True), Score("new", 3), sums)
    assert new == {f"{SCORES_MICRO}:a:{OTHERS}": -2_000_000}
