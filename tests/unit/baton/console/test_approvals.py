"""Deciding on what jobs wait for."""

from collections.abc import AsyncIterator

import pytest

from baton.agents.agent import Agent
from baton.agents.registry import Registry
from baton.models.model import Call
from baton.models.scripted import ScriptedModel
from baton.tools.tool import tool
from tests.unit.baton.api.client import with_keys
from tests.unit.baton.console.operator import Operator, operator_of
from tests.unit.baton.kit.stage import Stage


@pytest.fixture
async def requested() -> AsyncIterator[Operator]:
    """A job waits for an approval; what ran is in `operator.stage.step_result.runs`."""
    runs: list[str] = []

    @tool(requires_approval=True)
    async def write(path: str, lines: int) -> str:
        """Write it."""
        runs.append(f"{path} {lines}")
        return path

    model = ScriptedModel([[Call("write", {"path": "<a>.txt", "lines": 3})], "done"])
    registry = Registry([Agent(name="writes", model=model, tools=[write])])
    async with operator_of(Stage(settings=with_keys(), registry=registry)) as operator:
        operator.stage.step_result.runs = runs
        await operator.stage.submit("writes")
        await operator.stage.run(within_seconds=600)
        yield operator


async def _page(operator: Operator) -> str:
    """The address of the one approval that waits."""
    markup = await operator.see("/console/approvals")
    return "/console/approvals/" + markup.split('href="/console/approvals/')[1].split('"')[0]


async def test_an_approval_waits_and_is_approved(requested: Operator) -> None:
    """The tool runs with the arguments that were shown; the job's page leads there."""
    path = await _page(requested)
    assert path in await requested.see("/console/jobs/job_1")
    markup = await requested.see(path)
    assert "&lt;a&gt;.txt" in markup
    arguments = '{"path": "<a>.txt", "lines": 3}'
    assert "Approved." in await requested.done(f"{path}/approve", arguments=arguments)
    await requested.stage.run(within_seconds=600)
    assert requested.stage.step_result.runs == ["<a>.txt 3"]
    assert "Nothing waits for a decision" in await requested.see("/console/approvals")
    assert "by operators" in await requested.see("/console/approvals?status=approved")


async def test_it_is_approved_with_an_edit(requested: Operator) -> None:
    """The tool runs with what the person wrote, which stands beside what was asked for."""
    path = await _page(requested)
    await requested.done(f"{path}/approve", arguments='{"path": "b.txt", "lines": 4}', comment="better there")
    await requested.stage.run(within_seconds=600)
    assert requested.stage.step_result.runs == ["b.txt 4"]
    markup = await requested.see(path)
    assert "as edited" in markup
    assert "better there" in markup


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
    """It goes on waiting, and what was typed is kept."""
    path = await _page(requested)
    response = await requested.do(f"{path}/approve", arguments=arguments, comment="kept comment")
    assert response.status_code == 422
    assert 'id="fault-arguments"' in response.text
    assert shown in response.text.split('id="fault-arguments"')[1]
    assert 'value="kept comment"' in response.text
    assert "kept-input" in response.text or "kept-input" not in arguments
    assert await _page(requested) == path


async def test_it_is_rejected_with_a_reason(requested: Operator) -> None:
    """The tool does not run; without a reason nothing is decided."""
    path = await _page(requested)
    refused = await requested.do(f"{path}/reject", reason="  ")
    assert (refused.status_code, 'id="fault-reason"' in refused.text) == (422, True)
    assert "Rejected." in await requested.done(f"{path}/reject", reason="not <today>")
    await requested.stage.run(within_seconds=600)
    assert requested.stage.step_result.runs == []
    assert "not &lt;today&gt;" in await requested.see("/console/approvals?status=rejected")


async def test_a_second_decision_is_refused(requested: Operator) -> None:
    """409, as a page."""
    path = await _page(requested)
    await requested.done(f"{path}/reject", reason="no")
    response = await requested.do(f"{path}/approve")
    assert response.status_code == 409
    assert "cannot be decided any more" in response.text


async def test_unknown_approvals_and_states_are_refused(requested: Operator) -> None:
    """As pages."""
    for path in ("/console/approvals/x", "/console/approvals/op_job_1-1-0-abc", "/console/approvals/op_job_9-1-0-abc"):
        await requested.see(path, 404)
    await requested.see("/console/approvals?status=lost", 422)


async def test_the_address_of_old_leads_to_the_approvals(requested: Operator) -> None:
    """`/admin/agent-checkpoints`."""
    response = await requested.http.get("/admin/agent-checkpoints")
    assert response.headers["location"] == "/console/approvals"
