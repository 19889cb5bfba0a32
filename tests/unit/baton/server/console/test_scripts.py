"""Scripts on pages: the program with its calls inside, and the line that waits."""

from collections.abc import AsyncIterator

import pytest

from baton import Agent, Call, Registry, ScriptedModel, tool
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import with_keys
from tests.unit.baton.server.console.operator import Operator, operator_of

SCRIPT = "cost = await price('<lamp>')\npassword = 's3cr3t-of-a-script'\nawait pay(cost)"


@pytest.fixture
async def operator() -> AsyncIterator[Operator]:
    """An agent whose script waits for a person in its third line."""

    @tool
    async def price(of: str) -> int:
        return len(of)

    @tool(requires_approval=True)
    async def pay(euros: int) -> int:
        return euros

    model = ScriptedModel([[Call("run_code", {"code": SCRIPT})], "done"])
    registry = Registry([Agent("clerk", model=model, tools=[price, pay], code_mode=True)])
    async with operator_of(Stage(settings=with_keys(), registry=registry)) as operator:
        await operator.stage.submit("clerk", task="Pay")
        await operator.stage.run(within_seconds=60)
        yield operator


async def test_call_and_turn_show_the_program_with_its_calls_inside_and_the_line_that_waits(operator: Operator) -> None:
    page, call = "", (await operator.stage.calls())[0]
    for path in (f"calls/{call.id}", "turns/1", "turns/2"):
        page = await operator.see(f"/console/jobs/job_1/{path}")
        assert "cost = await price(&#39;&lt;lamp&gt;&#39;)" in page
        assert "s3cr3t-of-a-script" not in page
        marked = page[page.index("<mark>") : page.index("</mark>")]
        assert "await pay(cost)" in marked
        assert page.count("<mark>") == 1
        if path.startswith("calls"):
            continue
        program, inside = page.index('<pre class="program"'), page.index("Its calls")
        assert program < inside < page.index("<b>price</b>") < page.index("<b>pay</b>")
        assert page.count("<b>price</b>") == 1
    assert "went on with a script" in page
    assert "/fork?turn" not in page


async def test_an_approval_shows_the_script_that_makes_the_call(operator: Operator) -> None:
    listed = await operator.see("/console/approvals")
    page = await operator.see("/console/approvals/" + listed.split('href="/console/approvals/')[1].split('"')[0])
    assert "The script that makes the call" in page
    assert "await pay(cost)" in page[page.index("<mark>") : page.index("</mark>")]


async def test_an_ended_job_shows_its_script_without_a_line_that_waits(operator: Operator) -> None:
    listed = await operator.see("/console/approvals")
    link = "/console/approvals/" + listed.split('href="/console/approvals/')[1].split('"')[0]
    digest = (await operator.see(link)).split('name="digest" value="')[1].split('"')[0]
    await operator.do(f"{link}/approve", digest=digest, euros="6", step="approve")
    await operator.stage.run(within_seconds=60)
    for turn in (1, 2, 3):
        page = await operator.see(f"/console/jobs/job_1/turns/{turn}")
        assert "await pay(cost)" in page
        assert "<mark>" not in page
    assert "done" in await operator.see("/console/jobs/job_1/turns/5")
