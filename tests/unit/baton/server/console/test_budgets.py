"""The page of budgets: bars, who waits, and limits that are set by its forms; and the question about one."""

from msgspec.structs import replace

from baton import Agent, Budget, Registry
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.admin.test_budgets import budgets_of, reserved
from tests.unit.baton.server.api.client import with_keys
from tests.unit.baton.server.console.operator import Operator, operator_of
from tests.unit.baton.whole.test_budgets import Priced

PAGE = "/console/budgets"


async def test_a_page_without_budgets_says_how_to_declare_one(operator: Operator) -> None:
    assert "budgets=[Budget(…)]" in await operator.see(PAGE)
    assert "No call has a budget of the name" in await operator.see(f"{PAGE}?key=nobody")


async def test_a_budget_is_shown_with_its_bar_and_who_waits(operator: Operator) -> None:
    """Its key is escaped; the bar ends with the limit. A job is named by what it is about."""
    await operator.stage.submit(job_id="job_b", task="Sum up March")
    for name in ("job_a", "job_b", "job_c"):
        await reserved(operator.stage, name, 3_000_000, key="<b>user</b>")
    markup = await operator.see(PAGE)
    assert "&lt;b&gt;user&lt;/b&gt;" in markup
    assert '<rect class="c1" x="0.0%" width="60.0%"' in markup
    assert "0 % spent, 60 % reserved" in markup
    for name, shown in (("job_b", "Sum up March"), ("job_c", "do it")):
        assert f'href="/console/jobs/{name}">{shown}</a>' in markup
    assert ">$5.00<" in markup


async def test_a_limit_is_set_by_the_form(operator: Operator) -> None:
    """Who waits is woken; the page says what is set."""
    for name in ("job_a", "job_b"):
        await reserved(operator.stage, name, 3_000_000)
    given = {"key": "user/7", "per": "day", "unit": "usd", "limit": "9.5", "period": "present"}
    markup = await operator.done(f"{PAGE}/set", **given)
    assert "The budget user/7 per day is set: 0.00 USD spent of 9.50 USD.<" in markup
    assert "the code says $5.00" in markup
    [row], _ = await budgets_of(operator.stage).rows("user/7")
    assert (row.limit, row.waiting) == (9_500_000, 1)  # until it has asked
    assert '<option value="user/7">' in markup
    assert "stops nothing unless" in await operator.done(f"{PAGE}/set", **given | {"key": "user/8"})
    assert '<option value="user/8">' not in await operator.see(PAGE)


async def test_a_person_sees_the_budget_and_raises_it() -> None:
    budget = Budget("acme <1>", usd=0.02, reserve=0.02, on_limit="ask")
    others = Agent(name="b", model=Priced(), budgets=[replace(budget, on_limit="fail")])
    registry = Registry([Agent(name="a", model=Priced(), budgets=[budget]), others])
    async with operator_of(Stage(settings=with_keys(), registry=registry)) as operator:
        for name in ("job_1", "job_2"):
            await operator.stage.submit("a", name)
            await operator.stage.run(within_seconds=60)
        job = await operator.see("/console/jobs/job_2")
        path = "/console/approvals/" + job.split('href="/console/approvals/')[1].split('"')[0]
        page = await operator.see(path)
        assert "the budget &#39;acme &lt;1&gt;&#39; of 0.02 USD for 2027-01-15 has 0.00 left, and this call may" in page
        assert "the new limit for everybody, unless it is higher by now; unchanged, twice this" in page
        assert "Approving raises the limit for everybody to twice that" in await operator.see("/console/approvals")
        await operator.done(f"{path}/approve", arguments='{"value": 0.07}', step="confirm")
        await operator.stage.run(within_seconds=60)
        assert (await operator.stage.now("job_2")).status == "completed"
        (row,), _ = await budgets_of(operator.stage).rows("acme <1>")
        assert (row.limit, row.spent) == (70_000, 40_000)
        for name in ("job_3", "job_4"):
            await operator.stage.submit("b", name)
            await operator.stage.run(within_seconds=60)
        assert '<a href="/console/budgets?key=acme%20%3C1%3E">the budget</a>' in await operator.see(
            "/console/jobs/job_4"
        )
