"""The list of jobs."""

import re

from baton import Agent, Call, Pending, Registry, ScriptedModel, ToolContext, tool
from baton.sdk.models.model import ModelAnswer
from baton.server.console.shown import exact
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import OTHER, with_keys
from tests.unit.baton.server.console.operator import Operator, operator_of


async def test_jobs_of_every_tenant_are_listed_and_filtered(operator: Operator) -> None:
    assert "There are no jobs yet" in await operator.see("/console/jobs")
    await operator.api.submitted(taskDescription="the first <one>")
    operator.stage.clock.ms += 1
    job = await operator.api.submitted(OTHER, taskDescription="the second")
    markup = await operator.see("/console/jobs")
    assert markup.index("the second") < markup.index("the first &lt;one&gt;")
    assert ("waits for" in markup, "status=cancelled" in markup, "all like these" in markup) == (True, True, False)
    of_acme = await operator.see("/console/jobs?tenant=acme&status=&jobType=answers")
    assert ("the first" in of_acme, "the second" in of_acme, 'value="acme"' in of_acme) == (True, False, True)
    several = await operator.see("/console/jobs?status=failed,cancelled")
    shown = ("No job matches", "data-refresh", "As of <time", '<option value="failed,cancelled" selected>')
    assert all(text in several for text in shown)
    wrong = await operator.see("/console/jobs?status=lost", 422)
    assert ("status:" in wrong, 'role="search"' in wrong) == (True, True)
    await operator.see("/console/jobs?cursor=%00", 422)
    opened = await operator.http.get(f"/console/jobs?id={job['id']}&status=")
    assert opened.headers["location"] == f"/console/jobs/{job['id']}"


async def test_pages_follow_each_other(operator: Operator) -> None:
    for number in range(60):
        await operator.api.submitted(taskDescription=f"task-{number:02d}-")
        operator.stage.clock.ms += 1
    first = await operator.see("/console/jobs?tenant=acme")
    link = first.split('class="pages older"><a href="')[1].split('"')[0].replace("&amp;", "&")
    second = await operator.see(f"/console/jobs{link}")
    assert "tenant=acme" in link
    assert [(f"task-{number:02d}-" in first) + (f"task-{number:02d}-" in second) for number in range(60)] == [1] * 60


async def test_a_filter_takes_text_tags_and_plain_dates(operator: Operator) -> None:
    """A date means that day; what was given stays in the form, and a bulk change means the same jobs."""
    day = exact(operator.stage.clock.ms)[:10]
    await operator.api.submitted(taskDescription="find the lamp", tags=["night", "shop"])
    markup = await operator.see(f"/console/jobs?q=LAMP&tag=night,shop&createdAfter={day}&createdBefore={day}")
    assert "find the lamp" in markup
    assert 'value="night,shop"' in markup
    assert 'href="/console/jobs?tag=shop"' in markup
    bulk = await operator.see(f"/console/jobs?action=cancel&q=lamp&tag=night&createdBefore={day}")
    assert "Cancel 1 job" in bulk
    assert "No job matches" in await operator.see("/console/jobs?createdAfter=2999-01-01")
    assert 'id="fault-createdAfter"' in await operator.see("/console/jobs?createdAfter=2026-99-99", 422)


async def test_a_change_of_many_concerns_those_that_were_counted(operator: Operator) -> None:
    """A job that is submitted between the two forms stays."""
    for agent in ("answers", "adds"):
        await operator.api.submitted(jobType=agent, taskDescription=f"task of {agent}")
    markup = await operator.see("/console/jobs?action=cancel&jobType=answers")
    assert all(text in markup for text in ("Cancel 1 job", "the agent <b>answers</b>", "task of answers"))
    assert "task of adds" not in markup
    await operator.see("/console/jobs?action=explode", 422)
    [until] = re.findall(r'name="createdBefore" value="([^"]+)"', markup)
    operator.stage.clock.ms += 1
    later = await operator.api.submitted(taskDescription="later")
    fields = {"action": "cancel", "jobType": "answers", "createdBefore": until}
    assert "1 of 1 jobs are cancelled" in await operator.done("/console/jobs/bulk", **fields)
    assert (await operator.api.read(later["id"]))["status"] == "pending"


async def test_a_job_like_another_has_its_whole_task_and_its_tenant_or_ones_own(operator: Operator) -> None:
    """And no word of the page's own, such as how much of it was left out."""
    task = "word " * 1_000 + "& the end"
    job = await operator.api.submitted(taskDescription=task, inputData={"shop": "north"})
    [link] = re.findall(r'href="([^"]+)">Start one like it', await operator.see(f"/console/jobs/{job['id']}"))
    markup = await operator.see(link.replace("&amp;", "&"))
    assert f">\n{task.replace('&', '&amp;')}</textarea>" in markup
    assert "{\n  &#34;shop&#34;: &#34;north&#34;\n}</textarea>" in markup
    assert '<option value="acme" selected>' in markup
    fields = {"jobType": "answers", "like": re.findall('name="like" value="([^"]+)"', markup)[0], "once": "n"}
    for tenant, like in (("acme", {}), ("operators", {}), ("other", {}), ("acme", {"like": ""})):
        answer = await operator.do("/console/jobs/new", **fields | {"tenant": tenant} | like)
        made = answer.headers.get("location", "").rpartition("/")[2]
        assert (answer.status_code == 422) == (like != {} or tenant == "other")
        assert (
            f"a job of &#39;{tenant}&#39; is started" in answer.text
            or (await operator.stage.now(made)).tenant == tenant
        )


@tool
async def delegate(ctx: ToolContext) -> Pending:
    """Have another job do it."""
    return ctx.start("answers", "the child")


async def test_jobs_below_open_under_their_parent() -> None:
    """By a link, so it works without the script; the row says how many there are."""
    parent = Agent(name="starts", model=ScriptedModel([[Call("delegate")], "done"]), tools=[delegate])
    answers = Agent(name="answers", model=ScriptedModel([ModelAnswer("done", input_tokens=9, cost_usd=0.02)]))
    async with operator_of(Stage(settings=with_keys(), registry=Registry([parent, answers]))) as operator:
        job = await operator.api.submitted(jobType="starts", taskDescription="the parent")
        await operator.stage.run()
        markup = await operator.see("/console/jobs")
        assert "▸ 1<" in markup
        assert "the child" not in markup
        opened = await operator.see(f"/console/jobs?open={job['id']}")
        assert opened.index("the parent") < opened.index('class="d1"') < opened.index("the child")
        page = await operator.see(f"/console/jobs/{job['id']}")
    assert '1 job below it</a></dt><dd>$0.02 <span class="dim">9 tokens' in page
