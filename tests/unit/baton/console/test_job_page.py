"""A job's page shows what the API knows, and treats every text as text."""

from starlette.requests import Request
from starlette.responses import StreamingResponse

from baton.agents.agent import Agent
from baton.agents.registry import Registry
from baton.api.auth import Keys, Principal
from baton.api.cookie import Session
from baton.api.jobs.job import JobsApi
from baton.console.gate import Gate, Visit
from baton.console.job_changes import Live
from baton.models.model import Call
from baton.models.scripted import ScriptedModel
from baton.sdk.limits import Limits
from baton.tools.tool import tool
from tests.unit.baton.api.client import with_keys
from tests.unit.baton.console.operator import Operator, operator_of
from tests.unit.baton.kit.stage import Stage

HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)>'


async def test_it_shows_a_running_job(operator: Operator) -> None:
    assert "there is no job" in await operator.see("/console/jobs/job_1", 404)
    await operator.stage.submit("adds")
    markup = await operator.see("/console/jobs/job_1")
    assert "waits for" in markup
    assert 'data-live="/console/jobs/job_1/live?after=1"' in markup
    assert "Cancel job" in markup
    assert "has no tool call" in await operator.see("/console/jobs/job_1/calls/x", 404)


async def test_hostile_texts_stay_texts() -> None:
    @tool
    async def echo(text: str) -> str:
        """Say it."""
        return text

    agent = Agent(name="echo", model=ScriptedModel([[Call("echo", {"text": HOSTILE})], HOSTILE]), tools=[echo])
    async with operator_of(Stage(settings=with_keys(), registry=Registry([agent]))) as operator:
        await operator.stage.submit("echo", task=HOSTILE, data={"x": HOSTILE})
        await operator.stage.run()
        (call,) = await operator.stage.calls()
        for path in ("/console/jobs/job_1", f"/console/jobs/job_1/calls/{call.id}", "/console/jobs/job_1/live"):
            markup = await operator.see(path)
            assert "alert(" in markup
            assert "<img" not in markup
            assert "<script>" not in markup


async def test_garbage_positions_are_the_beginning(operator: Operator) -> None:
    """Never an error page inside a stream."""
    await operator.stage.submit("answers")
    await operator.stage.run()
    for after in ("-1", "x", "9" * 30, "²"):
        assert "turn 1" in await operator.see(f"/console/jobs/job_1/live?after={after}")


async def test_changes_end_after_a_while(operator: Operator) -> None:
    """The browser comes back, through the gate, with the number of the last part that it has."""
    await operator.stage.submit("adds")
    container = operator.stage.container
    jobs = JobsApi(container, Keys(container))
    gate = Gate(container, Keys(container))
    request = Request({"type": "http", "headers": [], "query_string": b"", "path_params": {"job_id": "job_1"}})
    session = Session("s", "k", 0)
    visit = Visit(request, session, Principal("admin", "operators"), gate.signer, operator.stage.clock.now_ms())
    response = await Live(container, jobs, longest_seconds=0).stream(visit)
    assert isinstance(response, StreamingResponse)
    shown = [str(chunk) async for chunk in response.body_iterator]
    assert shown[0].startswith("retry:")
    assert shown[1].startswith("id: 1\n")
    assert len(shown) == 2
    resumed = await operator.http.get("/console/jobs/job_x/live", headers={"last-event-id": "1"})
    assert resumed.status_code == 404


async def test_the_page_of_a_long_job_stays_light() -> None:
    @tool
    async def look(number: int) -> str:
        """Look at something large."""
        return f"{number} " + "x" * 5_000

    turns = [[Call("look", {"number": number})] for number in range(150)]
    agent = Agent(
        name="long", model=ScriptedModel([*turns, "done"]), tools=[look], limits=Limits(turns=200, tool_calls=200)
    )
    async with operator_of(Stage(settings=with_keys(), registry=Registry([agent]))) as operator:
        path = f"/console/jobs/{(await operator.api.submitted(jobType='long'))['id']}"
        await operator.stage.run()
        markup = await operator.see(path)
        assert len(markup) < 65_000
        assert "130 older calls are left out" in markup
        assert len(await operator.see(f"{path}/live?after=0")) < 1_000_000
        everything = await operator.see(f"{path}?all=1")
        assert everything.count('data-into="calls"') == 150


async def test_a_job_is_scored_on_its_page(operator: Operator) -> None:
    job = await operator.api.submitted()
    path = f"/console/jobs/{job['id']}"
    assert "Nobody has scored this job" in await operator.see(path)
    refused = await operator.do(f"{path}/scores", name="helpful", value="very", comment="Nice.")
    assert refused.status_code == 422
    assert 'id="fault-value"' in refused.text
    assert 'value="Nice."' in refused.text
    markup = await operator.done(f"{path}/scores", name="helpful", value="0.5", comment="Nice.")
    assert '<td data-name="value" class="num">0.5</td>' in markup
    assert "admin of operators" in markup
