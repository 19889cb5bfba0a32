"""Starting and cancelling jobs by forms."""

import json
import re
from html import unescape

import pytest

from tests.unit.baton.console.operator import Operator


async def test_a_job_is_started_once_however_often_its_form_is_sent(operator: Operator) -> None:
    """It belongs to the tenant of the operator's key; what is said of it is said once."""
    fields = {"jobType": "answers", "taskDescription": "why?", "inputData": '{"a": 1}', "priority": "9"}
    sent = [await operator.do("/console/jobs/new", **fields, sessionId="s1", once="n1") for _ in range(2)]
    (place,) = {response.headers["location"] for response in sent}
    markup = await operator.see(place)
    assert "The job is accepted." in markup
    assert "why?" in markup
    assert "accepted" not in await operator.see(place)
    (job_id,) = {event.job_id for event in operator.stage.events()}
    job = (await operator.stage.snapshot(job_id)).job
    assert (job.tenant, job.agent, job.priority, job.session_id) == ("operators", "answers", 9, "s1")


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("inputData", "{", "not JSON"),
        ("inputData", "[1]", "must be a JSON object"),
        ("inputData", "[" * 100_000, "not JSON"),
        ("jobType", "nobody", "nobody"),
        ("priority", "x", "valid integer"),
    ],
)
async def test_what_is_wrong_is_shown_at_its_field(operator: Operator, field: str, value: str, shown: str) -> None:
    fields = {"jobType": "answers", "taskDescription": "keep <this>", "inputData": "", field: value}
    response = await operator.do("/console/jobs/new", **fields)
    assert response.status_code == 422
    assert f'id="fault-{field}"' in response.text
    assert shown in response.text
    assert "keep &lt;this&gt;" in response.text
    assert not operator.stage.events()


async def test_a_job_is_cancelled_retried_and_deleted(operator: Operator) -> None:
    """A page says what was done, and refuses what cannot be."""
    job, stage = "/console/jobs/job_1", operator.stage
    await stage.submit("answers")
    assert (await operator.do(f"{job}/delete")).status_code == 409
    for _ in range(2):
        assert "The job is cancelled." in await operator.done(f"{job}/cancel")
    assert (await stage.snapshot()).job.status == "cancelled"
    assert "from what failed" in await operator.done(f"{job}/retry", **{"from": "failure"})
    await stage.run()
    assert (await stage.snapshot()).job.status == "completed"
    refused = await operator.do(f"{job}/cancel")
    assert (refused.status_code, "only a job that has not ended" in refused.text) == (409, True)
    assert "from its start" in await operator.done(f"{job}/retry", **{"from": "start"})
    await stage.run()
    assert "The data of job job_1 is deleted." in await operator.done(f"{job}/delete")
    assert (await operator.http.get(job)).status_code in (404, 410)


async def test_many_jobs_are_cancelled_after_being_counted(operator: Operator) -> None:
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
