"""The admission of jobs, and the log of what operators did."""

from baton_events.errors import PublishError
from tests.unit.baton.api.client import ADMIN
from tests.unit.baton.console.operator import Operator


async def test_the_worker_is_stopped_and_started(operator: Operator) -> None:
    """The page says how it stands, for each tenant."""
    await operator.api.submitted()
    markup = await operator.see("/console/worker")
    assert "of 3 slots" in markup
    assert "acme" in markup
    operator.stage.records.failing = [PublishError("gone")]
    assert "the queue does not answer" in await operator.see("/console/worker")
    assert "No job gets a slot" in await operator.done("/console/worker/stop")
    await operator.api.submitted()
    assert "Start admitting jobs" in await operator.see("/console/worker")
    assert "Jobs are admitted again." in await operator.done("/console/worker/start")


async def test_the_last_hours_are_drawn_and_are_a_table(operator: Operator) -> None:
    """As the sweeps have found them; the API has the same."""
    assert "No sweep has run" in await operator.see("/console/worker")
    for _ in range(4):
        await operator.api.submitted()
    await operator.stage.ports.admission.reconcile(0, operator.stage.clock.ms)
    markup = await operator.see("/console/worker")
    assert "3 at work</title>" in markup
    assert '<td data-name="in line" class="num">1</td>' in markup
    (sample,) = (await operator.api.request("GET", "/api/admin/agent-worker", ADMIN)).json()["history"]
    assert (sample["activeJobs"], sample["pendingJobs"], sample["maxConcurrentJobs"]) == (3, 1, 3)


async def test_what_operators_do_is_in_the_audit_log(operator: Operator) -> None:
    """With who, what and when; the form's token is not."""
    assert "POST /console/login" in await operator.see("/console/audit")
    operator.stage.audit_log.entries.clear()
    assert "No admin key has changed anything" in await operator.see("/console/audit")
    await operator.stage.submit()
    await operator.done("/console/jobs/job_1/cancel")
    markup = await operator.see("/console/audit")
    assert "/console/jobs/job_1/cancel" in markup
    assert "operators" in markup
    assert "csrf" not in markup.split("<main")[1]
    await operator.see("/console/audit?cursor=x", 422)
