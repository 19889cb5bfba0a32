"""A job's page shows what the API knows, and every text as text; its forms start, change, fork and score jobs."""

import json
import re
from html import unescape

import pytest
from starlette.requests import Request
from starlette.responses import StreamingResponse

from baton.sdk.agents.agent import Agent
from baton.sdk.agents.registry import Registry
from baton.sdk.models.model import Call
from baton.sdk.models.scripted import ScriptedModel
from baton.sdk.records.limits import Limits
from baton.sdk.tools.tool import tool
from baton.server.api.auth import Keys, Principal, Session
from baton.server.api.jobs.context import context_of
from baton.server.console.gate import Gate, Visit
from baton.server.console.job_actions import fork_body
from baton.server.console.job_changes import stream
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import with_keys
from tests.unit.baton.server.console.operator import Operator, operator_of

HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)>'


async def test_hostile_texts_stay_texts() -> None:
    @tool
    async def echo(text: str) -> str:
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


async def test_changes_end_after_a_while(operator: Operator) -> None:
    """The browser comes back, through the gate, and gets each piece as it is by then."""
    await operator.stage.submit("adds")
    container = operator.stage.container
    context = context_of(container, Keys(container))
    gate = Gate(context)
    request = Request({"type": "http", "headers": [], "query_string": b"", "path_params": {"job_id": "job_1"}})
    session = Session("s", "k", 0)
    now_ms = operator.stage.clock.now_ms()
    visit = Visit(context, request, session, Principal("admin", "operators"), gate.signer, now_ms)
    response = await stream(visit, longest_seconds=0)
    assert isinstance(response, StreamingResponse)
    shown = [str(chunk) async for chunk in response.body_iterator]
    assert shown[0].startswith("retry:")
    assert [piece.split('"', 2)[1] for piece in json.loads(shown[1].removeprefix("data:"))] == [
        "head",
        "facts",
        "waterfall",
    ]
    assert len(shown) == 2
    assert (await operator.http.get("/console/jobs/job_x/live")).status_code == 404


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
        assert "turns 1 to 100: 200 steps" in markup
        assert len(await operator.see(f"{path}/live")) < 65_000
        assert (await operator.see(f"{path}?all=1")).count("r-call") == 150


async def test_a_job_is_scored_on_its_page(operator: Operator) -> None:
    job = await operator.api.submitted()
    path = f"/console/jobs/{job['id']}"
    assert "Nobody has scored this job" in await operator.see(path)
    markup = await operator.done(f"{path}/scores", name="helpful", value="0.5", comment="Nice.")
    assert '<td data-name="value" class="num">0.5</td>' in markup
    assert "operators" in markup.split("Scores")[1]


async def test_a_job_is_started_once_however_often_its_form_is_sent(operator: Operator) -> None:
    """It belongs to the tenant of the operator's key; what is said of it is said once."""
    fields = {"jobType": "answers", "taskDescription": "why?", "inputData": '{"a": 1}', "priority": "9"}
    sent = [await operator.do("/console/jobs/new", **fields, sessionId="s1", once="n1") for _ in range(2)]
    (place,) = {response.headers["location"] for response in sent}
    markup = await operator.see(place)
    assert ("The job is accepted." in markup, "why?" in markup) == (True, True)
    assert "accepted" not in await operator.see(place)
    (job_id,) = {event.job_id for event in operator.stage.events()}
    job = (await operator.stage.snapshot(job_id)).job
    assert (job.tenant, job.agent, job.priority, job.session_id) == ("operators", "answers", 9, "s1")


KEPT = "keep <this>"
NEW, PLAN, FORK, SCORE, LIMIT = "jobs/new", "schedules/new/make", "jobs/job_1/fork", "jobs/job_1/scores", "budgets/set"
RIGHT = {
    NEW: {"jobType": "answers", "taskDescription": KEPT},
    PLAN: {"jobType": "answers", "taskDescription": KEPT, "cron": "0 9 * * *", "timeZone": "UTC"},
    FORK: {"turn": "1", "instructions": KEPT},
    SCORE: {"name": "tone", "value": "1", "comment": KEPT},
    LIMIT: {"key": KEPT, "per": "month", "limit": "1"},
}
WRONG = (
    *((NEW, "inputData", text, "not JSON") for text in ("{", "[" * 100_000)),
    *((NEW, "inputData", "[1]", "must be a JSON object"), (NEW, "priority", "x", "valid integer")),
    *((form, "jobType", "nobody", "nobody") for form in (NEW, PLAN)),
    *((PLAN, "cron", "", "at least 1"), (PLAN, "timeZone", "Mars/North", "Mars/North")),
    *((FORK, "turn", "9", "from 1 to 2"), (FORK, "model", "nope", "unknown model")),
    *((FORK, "toolResults", "{", "not JSON"), (FORK, "arguments", '{"call": {}}', "no turn before turn 1")),
    *((SCORE, "value", "much", "a score is true, false"), (SCORE, "name", "a b", "match pattern")),
    *((LIMIT, "limit", "many", "got 'many'"), (LIMIT, "limit", "-3", "got -3"), (LIMIT, "limit", "", "required")),
)


async def test_what_is_wrong_is_shown_at_its_field_and_the_input_is_kept(operator: Operator) -> None:
    await operator.stage.submit("adds")
    await operator.stage.run()
    before = len(operator.stage.events())
    for form, field, value, shown in WRONG:
        response = await operator.do(f"/console/{form}", **RIGHT[form] | {field: value})
        texts = (f'id="fault-{field}"', shown, "keep <this>")
        assert (response.status_code, [text in unescape(response.text) for text in texts]) == (422, [True] * 3), field
    assert (len(operator.stage.events()), operator.stage.schedules.known) == (before, {})


async def test_a_job_is_cancelled_retried_and_deleted(operator: Operator) -> None:
    job, stage = "/console/jobs/job_1", operator.stage
    assert "there is no job" in await operator.see(job, 404)
    await stage.submit("answers")
    assert "has no tool call" in await operator.see(f"{job}/calls/x", 404)
    assert (await operator.do(f"{job}/delete")).status_code == 409
    for _ in range(2):
        page = await operator.done(f"{job}/cancel")
        assert all(text in page for text in ("The job is cancelled.", '<button class="quiet">Go on with it<'))
        assert "Retry" not in page
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


async def test_a_job_is_asked_again_and_compared(operator: Operator) -> None:
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


@pytest.mark.parametrize(("typed", "edited"), [("Be kind.\r\nBe brief. ", None), ("Be kind.", "Be kind."), ("", None)])
def test_instructions_that_are_the_agents_own_are_no_edit(typed: str, edited: str | None) -> None:
    own = {"taskDescription": "Go.", "instructions": "Be kind.\nBe brief."}
    edits = fork_body({"turn": ["1"], "taskDescription": ["Go."], "instructions": [typed]}, own).edits
    assert (edits.task_description, edits.instructions) == (None, edited)


async def test_a_persons_data_is_erased_once_their_id_is_typed(operator: Operator) -> None:
    """No page shows the id, and no log has it; whoever is not meant is not erased by a slip."""
    api, job = operator.api, "/console/jobs/{}"
    mine = [await api.submitted(taskDescription="canary", subjectId="u-7 & co") for _ in range(2)]
    other = await api.submitted(taskDescription="canary", subjectId="u-8")
    nobodys = await api.submitted(taskDescription="canary")
    await api.stage.run()
    page = job.format(mine[0]["id"])
    assert "Erase the person" in await operator.see(page)
    assert "Erase the person" not in await operator.see(job.format(nobodys["id"]))
    for path, person in ((page, "u-8"), (page, ""), (page, "x" * 10_000), (job.format(nobodys["id"]), "")):
        refused = await operator.do(f"{path}/erase", subjectId=person)
        assert (refused.status_code, "is not of that person" in refused.text) == (422, True)
    late = await api.submitted(taskDescription="canary", subjectId="u-7 & co")
    notice = await operator.done(f"{page}/erase", subjectId=" u-7 & co ")
    assert "Of the person is erased: 3 jobs" in notice
    for each in (*mine, late):
        assert (await operator.http.get(job.format(each["id"]))).status_code in (404, 410)
    for each in (other, nobodys):
        assert "canary" in await operator.see(job.format(each["id"]))
    assert "erased a person" in await operator.see("/console/audit")
    assert "u-7" not in str(operator.stage.redis.data.values) + await operator.see("/console/audit")
