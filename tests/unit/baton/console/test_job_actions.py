"""Starting and cancelling jobs by forms."""

import json
import re
from html import unescape

import pytest

from tests.unit.baton.console.operator import Operator


async def test_a_job_is_started_and_shown(operator: Operator) -> None:
    """It belongs to the tenant of the operator's key."""
    markup = await operator.done(
        "/console/jobs/new",
        jobType="answers",
        taskDescription="why?",
        inputData='{"a": 1}',
        priority="9",
        sessionId="s1",
    )
    assert "The job is accepted." in markup
    assert "why?" in markup
    (message,) = {event.job_id for event in operator.stage.events()}
    job = (await operator.stage.snapshot(message)).job
    assert (job.tenant, job.agent, job.priority, job.session_id) == ("operators", "answers", 9, "s1")


async def test_what_is_shown_once_is_not_shown_again(operator: Operator) -> None:
    """The next page of the same session is silent."""
    first = await operator.do("/console/jobs/new", jobType="answers")
    assert "accepted" in await operator.see(first.headers["location"])
    assert "accepted" not in await operator.see(first.headers["location"])


async def test_a_form_that_is_sent_twice_starts_one_job(operator: Operator) -> None:
    """Each form has a number of its own."""
    places = {
        (await operator.do("/console/jobs/new", jobType="answers", once="n1")).headers["location"] for _ in range(2)
    }
    assert len(places) == 1


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("inputData", "{", "not JSON"),
        ("inputData", "[1]", "must be a JSON object"),
        ("inputData", "[" * 100_000, "not JSON"),
        ("jobType", "nobody", "nobody"),
        ("priority", "11", "less than or equal to 9"),
        ("priority", "x", "valid integer"),
        ("sessionId", "s" * 201, "at most 200"),
    ],
)
async def test_what_is_wrong_is_shown_at_its_field(operator: Operator, field: str, value: str, shown: str) -> None:
    """And everything that was typed is kept."""
    fields = {"jobType": "answers", "taskDescription": "keep <this>", "inputData": "", field: value}
    response = await operator.do("/console/jobs/new", **fields)
    assert response.status_code == 422
    assert f'id="fault-{field}"' in response.text
    assert shown in response.text
    assert "keep &lt;this&gt;" in response.text
    assert not operator.stage.events()


async def test_a_job_is_cancelled(operator: Operator) -> None:
    """At once; a second time changes nothing."""
    await operator.stage.submit()
    for _ in range(2):
        assert "The job is cancelled." in await operator.done("/console/jobs/job_1/cancel")
    assert (await operator.stage.snapshot()).job.status == "cancelled"


async def test_an_ended_job_cannot_be_cancelled(operator: Operator) -> None:
    """409, as a page."""
    await operator.stage.submit("answers")
    await operator.stage.run()
    response = await operator.do("/console/jobs/job_1/cancel")
    assert response.status_code == 409
    assert "only a job that has not ended" in response.text


async def test_an_ended_job_runs_again(operator: Operator) -> None:
    """From what failed, or from its start; the page says which."""
    await operator.stage.submit("answers")
    await operator.done("/console/jobs/job_1/cancel")
    assert "from what failed" in await operator.done("/console/jobs/job_1/retry", **{"from": "failure"})
    await operator.stage.run()
    assert (await operator.stage.snapshot()).job.status == "completed"
    assert "from its start" in await operator.done("/console/jobs/job_1/retry", **{"from": "start"})


async def test_an_ended_job_is_deleted(operator: Operator) -> None:
    """One that runs is not."""
    await operator.stage.submit("answers")
    assert (await operator.do("/console/jobs/job_1/delete")).status_code == 409
    await operator.stage.run()
    assert "The data of job job_1 is deleted." in await operator.done("/console/jobs/job_1/delete")
    assert (await operator.http.get("/console/jobs/job_1")).status_code in (404, 410)


async def test_many_jobs_are_cancelled_after_being_counted(operator: Operator) -> None:
    """Those of the filter, and no others."""
    for number in range(3):
        await operator.stage.submit("answers", f"job_{number}")
    await operator.stage.submit("adds", "job_other")
    markup = await operator.see("/console/jobs/bulk?action=cancel&jobType=answers")
    assert "Cancel 3 jobs" in " ".join(markup.split())
    assert (await operator.stage.snapshot("job_0")).job.status == "pending"
    markup = await operator.done("/console/jobs/bulk", action="cancel", jobType="answers")
    assert "cancel: 3 of 3 jobs were changed." in markup
    assert (await operator.stage.snapshot("job_other")).job.status == "pending"
    await operator.see("/console/jobs/bulk?action=explode", 422)


async def test_a_job_is_asked_again_and_compared(operator: Operator) -> None:
    """From a turn's page, by a form; the new job's page leads to both side by side."""
    await operator.stage.submit("adds")
    await operator.stage.run()
    assert 'href="/console/jobs/job_1/fork?turn=2"' in await operator.see("/console/jobs/job_1/turns/2")
    assert 'value="2"' in await operator.see("/console/jobs/job_1/fork?turn=2")
    call_id = (await operator.stage.calls())[0].id
    fields = {"turn": "2", "taskDescription": "do it", "toolResults": json.dumps({call_id: "<five>"}), "once": "n1"}
    markup = await operator.done("/console/jobs/job_1/fork", **fields)
    assert "at turn 2" in markup
    (compare,) = re.findall(r'href="(/console/jobs/job_1/diff/[^"]+)"', markup)
    again = await operator.do("/console/jobs/job_1/fork", **fields)
    assert again.headers["location"].split("/")[-1] == compare.split("/")[-1]
    await operator.stage.run()
    markup = await operator.see(compare)
    assert '<span class="pill s-changed">changed</span>' in markup
    assert "&lt;five&gt;" in markup
    assert (await operator.stage.snapshot(compare.split("/")[-1])).task["text"] == "do it"
    assert len(operator.stage.step_result.runs) == 2


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("turn", "x", "valid integer"),
        ("turn", "9", "from 1 to 2"),
        ("model", "nope", "unknown model"),
        ("toolResults", "{", "not JSON"),
        ("arguments", '{"call": {}}', "no turn before turn 1"),
    ],
)
async def test_what_is_wrong_with_a_fork_is_shown_at_its_field(
    operator: Operator, field: str, value: str, shown: str
) -> None:
    """And what was typed is kept."""
    await operator.stage.submit("adds")
    await operator.stage.run()
    fields = {"turn": "1", "instructions": "keep <this>", field: value}
    response = await operator.do("/console/jobs/job_1/fork", **fields)
    assert response.status_code == 422
    assert 'aria-invalid="true"' in response.text
    assert shown in unescape(response.text)
    assert "keep &lt;this&gt;" in response.text
