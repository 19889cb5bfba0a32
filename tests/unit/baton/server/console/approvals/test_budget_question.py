"""A question about a budget: whose money it is, and a form to raise it for everybody."""

from baton import Agent, Budget, Registry
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import with_keys
from tests.unit.baton.server.console.operator import operator_of
from tests.unit.baton.whole.test_budgets import Priced


async def test_a_person_sees_the_budget_and_raises_it() -> None:
    budget = Budget("acme <1>", usd=0.02, reserve=0.02, on_limit="ask")
    registry = Registry([Agent(name="a", model=Priced(), budgets=[budget])])
    async with operator_of(Stage(settings=with_keys(), registry=registry)) as operator:
        for name in ("job_1", "job_2"):
            await operator.stage.submit("a", name)
            await operator.stage.run(within_seconds=60)
        job = await operator.see("/console/jobs/job_2")
        path = "/console/approvals/" + job.split('href="/console/approvals/')[1].split('"')[0]
        page = await operator.see(path)
        assert "the budget &#x27;acme &lt;1&gt;&#x27; of 0.02 USD is used up" in page.replace("&#39;", "&#x27;")
        assert "the new limit for everybody; unchanged, the limit is doubled" in page
        await operator.done(f"{path}/approve", arguments='{"value": 0.07}', step="confirm")
        await operator.stage.run(within_seconds=60)
        assert (await operator.stage.now("job_2")).status == "completed"
        budgets = operator.stage.ports.budgets
        assert budgets is not None
        (row,), _ = await budgets().rows("acme <1>")
        assert (row.limit, row.spent) == (70_000, 40_000)
