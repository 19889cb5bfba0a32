"""Starting and cancelling jobs by forms."""

import pytest

from tests.unit.functions.console.operator import Operator


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


async def test_what_is_said_once_is_not_said_again(operator: Operator) -> None:
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
    ("field", "value", "said"),
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
async def test_what_is_wrong_is_said_at_its_field(operator: Operator, field: str, value: str, said: str) -> None:
    """And everything that was typed is kept."""
    fields = {"jobType": "answers", "taskDescription": "keep <this>", "inputData": "", field: value}
    response = await operator.do("/console/jobs/new", **fields)
    assert response.status_code == 422
    assert f'id="fault-{field}"' in response.text
    assert said in response.text
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
