"""The list of jobs."""

from baton import Agent, Call, Pending, Registry, ScriptedModel, ToolContext, tool
from baton.console.shown import exact
from tests.unit.baton.api.client import OTHER, with_keys
from tests.unit.baton.console.operator import Operator, operator_of
from tests.unit.baton.kit.stage import Stage


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


async def test_a_filter_takes_text_tags_and_plain_dates(operator: Operator) -> None:
    """A date means that day; what was given stays in the form, and a bulk change means the same jobs."""
    day = exact(operator.stage.clock.ms)[:10]
    await operator.api.submitted(taskDescription="find the lamp", tags=["night", "shop"])
    markup = await operator.see(f"/console/jobs?q=LAMP&tag=night,shop&createdAfter={day}&createdBefore={day}")
    assert "find the lamp" in markup
    assert 'value="night,shop"' in markup
    assert 'href="/console/jobs?tag=shop"' in markup
    bulk = await operator.see(f"/console/jobs/bulk?action=cancel&q=lamp&tag=night&createdBefore={day}")
    assert "Cancel 1 job" in bulk
    assert "No job matches" in await operator.see("/console/jobs?createdAfter=2999-01-01")
    assert 'id="fault-createdAfter"' in await operator.see("/console/jobs?createdAfter=2026-99-99", 422)


@tool
async def delegate(ctx: ToolContext) -> Pending:
    """Have another job do it."""
    return ctx.start("answers", "the child")


async def test_jobs_below_open_under_their_parent() -> None:
    """By a link, so it works without the script; the row says how many there are."""
    parent = Agent(name="starts", model=ScriptedModel([[Call("delegate")], "done"]), tools=[delegate])
    answers = Agent(name="answers", model=ScriptedModel(["done"]))
    async with operator_of(Stage(settings=with_keys(), registry=Registry([parent, answers]))) as operator:
        job = await operator.api.submitted(jobType="starts", taskDescription="the parent")
        await operator.stage.run()
        markup = await operator.see("/console/jobs")
        assert "1 job below" in markup
        assert "the child" not in markup
        opened = await operator.see(f"/console/jobs?open={job['id']}")
        assert opened.index("the parent") < opened.index('class="d1"') < opened.index("the child")
