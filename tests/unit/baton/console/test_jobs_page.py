"""The list of jobs."""

from tests.unit.baton.api.client import OTHER
from tests.unit.baton.console.operator import Operator


async def test_jobs_of_every_tenant_are_listed(operator: Operator) -> None:
    """Newest first, with what they wait for."""
    assert "There are no jobs yet" in await operator.see("/console/jobs")
    await operator.api.submitted(taskDescription="the first <one>")
    operator.stage.clock.ms += 1
    await operator.api.submitted(OTHER, taskDescription="the second")
    markup = await operator.see("/console/jobs")
    assert markup.index("the second") < markup.index("the first &lt;one&gt;")
    assert "waits for" in markup


async def test_jobs_are_filtered(operator: Operator) -> None:
    """By tenant, status, agent; the form keeps what was asked."""
    await operator.api.submitted(taskDescription="of acme")
    await operator.api.submitted(OTHER, taskDescription="of other")
    markup = await operator.see("/console/jobs?tenant=acme&status=&jobType=answers")
    assert "of acme" in markup
    assert "of other" not in markup
    assert 'value="acme"' in markup
    assert "No job matches" in await operator.see("/console/jobs?status=failed")


async def test_a_wrong_filter_is_shown_in_place(operator: Operator) -> None:
    """With the form to mend it."""
    markup = await operator.see("/console/jobs?status=lost", 422)
    assert "status:" in markup
    assert 'role="search"' in markup
    await operator.see("/console/jobs?cursor=%00", 422)


async def test_pages_follow_each_other(operator: Operator) -> None:
    """Nothing doubled, nothing left out; the filter stays."""
    for number in range(60):
        await operator.api.submitted(taskDescription=f"task-{number:02d}-")
        operator.stage.clock.ms += 1
    first = await operator.see("/console/jobs?tenant=acme")
    link = first.split('class="pages older"><a href="')[1].split('"')[0].replace("&amp;", "&")
    second = await operator.see(f"/console/jobs{link}")
    assert "tenant=acme" in link
    found = [number for number in range(60) if f"task-{number:02d}-" in first + second]
    assert len(found) == 60
    assert not [number for number in range(60) if f"task-{number:02d}-" in first and f"task-{number:02d}-" in second]


async def test_a_job_is_opened_by_its_id(operator: Operator) -> None:
    """From the same form."""
    await operator.stage.submit()
    assert (await operator.http.get("/console/jobs?id=job_1&status=")).headers["location"] == "/console/jobs/job_1"


async def test_sessions_show_what_was_recorded(operator: Operator) -> None:
    """The oldest first, of one tenant."""
    assert "There are no sessions yet" in await operator.see("/console/sessions")
    for text in ("one?", "two?"):
        await operator.api.submitted(sessionId="s/1", taskDescription=text)
        operator.stage.clock.ms += 1
        await operator.stage.run()
    assert "two?" in await operator.see("/console/sessions")
    markup = await operator.see("/console/sessions/s/1?tenant=acme")
    assert markup.index("one?") < markup.index("two?")
    assert markup.count("done") >= 2
    assert "This session has no jobs" in await operator.see("/console/sessions/s/1?tenant=other")
