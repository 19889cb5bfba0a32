"""What people see of budgets without asking: alerts at shares of the limit, and figures of waits and refusals."""

from baton import Budget, Registry
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import ADMIN, api_of, with_keys
from tests.unit.baton.whole.test_budgets import agent


async def test_shares_of_a_budget_are_alerted_and_refusals_are_counted() -> None:
    """Half of the limit, then all of it; the call that finds nothing left is a refusal, and no alert of the budget."""
    registry = Registry([agent(Budget("user:7", usd=0.04, reserve=0.02))])
    async with api_of(Stage(settings=with_keys(), registry=registry)) as api:
        for _ in range(3):
            await api.submitted(jobType="a")
            await api.stage.run()
        sent = [notice for notice in api.stage.alerts.sent if notice.kind == "budget"]
        figures = (await api.request("GET", "/api/metrics", ADMIN)).text
    day = sent[0].message.split()[4]
    assert [notice.message for notice in sent] == [
        f"the budget 'user:7' for {day} has reached 50 %: 0.02 of 0.04 usd",
        f"the budget 'user:7' for {day} has reached 100 %: 0.04 of 0.04 usd",
    ]
    assert len({notice.once for notice in sent}) == 2
    assert "baton_budget_refusals_total 1.0" in figures
    assert "baton_budget_waits_total 0.0" in figures
