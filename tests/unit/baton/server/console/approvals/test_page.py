"""Deciding on what jobs wait for."""

import html
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated

import pytest
from pydantic import Field

from baton.sdk.agents.agent import Agent
from baton.sdk.agents.registry import Registry
from baton.sdk.models.model import Call, ModelAnswer, ModelRequest
from baton.sdk.models.scripted import ScriptedModel
from baton.sdk.tools.tool import tool
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import ADMIN, with_keys
from tests.unit.baton.server.console.operator import Operator, operator_of


class Saying(ScriptedModel):
    async def answer(self, request: ModelRequest) -> ModelAnswer:
        found = await super().answer(request)
        return replace(found, text="I will write it.") if found.calls else found


@pytest.fixture
async def requested() -> AsyncIterator[Operator]:
    """A job waits for an approval; what ran is in `operator.stage.step_result.runs`."""
    runs: list[str] = []

    @tool(requires_approval=True)
    async def write(path: str, lines: Annotated[int, Field(le=100)]) -> str:
        runs.append(f"{path} {lines}")
        return path

    model = Saying([[Call("write", {"path": "<a>.txt", "lines": 3})], "done"])
    agents = [Agent(name="writes", model=model, tools=[write]), Agent(name="says", model=ScriptedModel(["done"]))]
    async with operator_of(Stage(settings=with_keys(), registry=Registry(agents))) as operator:
        operator.stage.step_result.runs = runs
        await operator.stage.submit("writes")
        await operator.stage.run(within_seconds=600)
        yield operator


async def test_an_edit_that_leaves_out_all_arguments_is_shown_as_one() -> None:
    @tool(requires_approval=True)
    async def tidy(path: str = "everything") -> str:
        """Tidy up."""
        return path

    model = ScriptedModel([[Call("tidy", {"path": "attic"})], "done"])
    registry = Registry([Agent(name="tidies", model=model, tools=[tidy])])
    async with operator_of(Stage(settings=with_keys(), registry=registry)) as operator:
        await operator.stage.submit("tidies")
        await operator.stage.run(within_seconds=600)
        path = (await _page(operator)).replace("/console/approvals/", "/api/admin/agent-checkpoints/")
        assert (await operator.api.request("POST", path, ADMIN, json={"arguments": {}})).status_code == 200
        await operator.stage.run(within_seconds=600)
        markup = await operator.see("/console/approvals?status=approved")
        assert ("<pre>{}</pre>" in markup, "Edited by the person" in markup) == (True, True)


async def _page(operator: Operator) -> str:
    markup = await operator.see("/console/approvals")
    return "/console/approvals/" + markup.split('href="/console/approvals/')[1].split('"')[0]


async def test_an_approval_waits_and_is_approved(requested: Operator) -> None:
    path = await _page(requested)
    assert path in await requested.see("/console/jobs/job_1")
    assert "&lt;a&gt;.txt" in await requested.see(path)
    async with operator_of(requested.stage) as elsewhere:  # another process of the app
        assert 'class="count"' in await elsewhere.see("/console/jobs")
        decided = await requested.done(f"{path}/approve", arguments='{"path": "<a>.txt", "lines": 3}')
        assert ("Approved." in decided, 'class="count"' in decided) == (True, False)
        elsewhere.http.cookies = requested.http.cookies
        assert 'class="count"' not in await elsewhere.see("/console/jobs")
    await requested.stage.run(within_seconds=600)
    assert requested.stage.step_result.runs == ["<a>.txt 3"]
    assert "Nothing waits for a decision" in await requested.see("/console/approvals")
    assert "by operators" in await requested.see("/console/approvals?status=approved")


EDITED = {"arguments.path": "b.txt", "arguments.lines": "3"}


async def test_an_edit_is_shown_before_it_counts(requested: Operator) -> None:
    path = await _page(requested)
    review = (await requested.do(f"{path}/approve", **EDITED, comment="better there")).text
    shown = [text in review for text in ("<del>&lt;a&gt;.txt</del>", "<ins>b.txt</ins>", "<b>lines</b>")]
    assert shown == [True, True, False]
    assert await _page(requested) == path
    confirmed = html.unescape(re.findall(r'<textarea name="arguments"[^>]*>\n(.*?)</textarea>', review, re.DOTALL)[0])
    again = await requested.do(f"{path}/approve", arguments=confirmed, comment="better there", step="form")
    assert 'name="arguments.path" value="b.txt"' in again.text
    await requested.done(f"{path}/approve", arguments=confirmed, comment="better there", step="confirm")
    await requested.stage.run(within_seconds=600)
    assert requested.stage.step_result.runs == ["b.txt 3"]
    markup = await requested.see(path)
    assert ("<ins>b.txt</ins>" in markup, "better there" in markup) == (True, True)


async def test_a_person_reads_the_task_the_words_and_earlier_decisions(requested: Operator) -> None:
    path = await _page(requested)
    markup = await requested.see(path)
    for text in ("writes wants to run write: path &lt;a&gt;.txt, lines 3", "I will write it.", "do it"):
        assert text in markup
    assert ">run tool write: path &lt;a&gt;.txt, lines 3</a>" in await requested.see("/console/approvals")
    requested.stage.clock.ms += 60_000
    await requested.stage.submit("writes", job_id="job_2")
    await requested.stage.run(within_seconds=600)
    for page in ("/console", "/console/approvals"):
        asked = re.findall(r'asked by <a href="/console/jobs/(\w+)">writes</a> for acme,', await requested.see(page))
        assert asked == ["job_1", "job_2"], "the first to expire first"
    await requested.done(f"{path}/reject", reason="no")
    for number in range(21):
        await requested.stage.submit("says", job_id=f"other_{number}")
    assert f'href="{path}">rejected' in await requested.see(await _page(requested))


async def test_json_and_fields_are_two_views_of_one_draft(requested: Operator) -> None:
    path = await _page(requested)
    assert "&#34;path&#34;: &#34;b.txt&#34;" in (await requested.do(f"{path}/approve", **EDITED, step="raw")).text
    fields = await requested.do(f"{path}/approve", arguments='{"path": "c.txt", "lines": 3}', step="form")
    assert 'name="arguments.path" value="c.txt"' in fields.text
    wrong = await requested.do(f"{path}/approve", **{**EDITED, "arguments.lines": "many"}, comment="kept")
    assert wrong.status_code == 422
    for text in ('id="fault-arguments.lines">write a whole number', 'value="many"', 'value="b.txt"', 'value="kept"'):
        assert text in wrong.text
    refused = (await requested.do(f"{path}/approve", **{**EDITED, "arguments.lines": "101"})).text
    assert 'id="fault-arguments.lines"' in refused, "the tool finds it wrong"
    assert await _page(requested) == path


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ("{", "not JSON"),
        ("", "it is empty"),
        ("[]", "must be a JSON object"),
        ('{"path": "kept-input", "lines": "x"}', "lines"),
    ],
)
async def test_a_wrong_edit_is_shown_in_place(requested: Operator, arguments: str, shown: str) -> None:
    path = await _page(requested)
    response = await requested.do(f"{path}/approve", arguments=arguments, comment="kept comment")
    assert response.status_code == 422
    assert 'id="fault-arguments"' in response.text
    assert shown in response.text.split('id="fault-arguments"')[1]
    assert 'value="kept comment"' in response.text
    assert "kept-input" in response.text or "kept-input" not in arguments
    assert await _page(requested) == path


async def test_it_is_rejected_with_a_reason(requested: Operator) -> None:
    path = await _page(requested)
    refused = await requested.do(f"{path}/reject", reason="n" * 2001)
    assert (refused.status_code, 'id="fault-reason"' in refused.text) == (422, True)
    assert "Rejected." in await requested.done(f"{path}/reject", reason="not <today>")
    await requested.stage.run(within_seconds=600)
    assert requested.stage.step_result.runs == []
    assert "not &lt;today&gt;" in await requested.see("/console/approvals?status=rejected")
    again = await requested.do(f"{path}/approve")
    assert (again.status_code, "cannot be decided any more" in again.text) == (409, True)


async def test_unknown_approvals_and_states_are_refused(requested: Operator) -> None:
    for path in ("/console/approvals/x", "/console/approvals/op_job_1-1-0-abc", "/console/approvals/op_job_9-1-0-abc"):
        await requested.see(path, 404)
    await requested.see("/console/approvals?status=lost", 422)
    of_old = await requested.http.get("/admin/agent-checkpoints")
    assert of_old.headers["location"] == "/console/approvals"
