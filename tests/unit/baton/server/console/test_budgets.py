"""The page of budgets: bars, who waits, and limits that are set by its forms."""

from tests.unit.baton.server.api.admin.test_budgets import budgets_of, reserved
from tests.unit.baton.server.console.operator import Operator

PAGE = "/console/budgets"


async def test_a_page_without_budgets_says_how_to_declare_one(operator: Operator) -> None:
    assert "budgets=[Budget(…)]" in await operator.see(PAGE)
    assert "No call has a budget of the name" in await operator.see(f"{PAGE}?key=nobody")


async def test_a_budget_is_shown_with_its_bar_and_who_waits(operator: Operator) -> None:
    """Its key is escaped; the bar ends with the limit. A job is named by what it is about, or by its id."""
    await operator.stage.submit(job_id="job_b", task="Sum up March")
    for name in ("job_a", "job_b", "job_c"):
        await reserved(operator.stage, name, 3_000_000, key="<b>user</b>")
    markup = await operator.see(PAGE)
    assert "&lt;b&gt;user&lt;/b&gt;" in markup
    assert '<rect class="c1" x="0.0%" width="60.0%"' in markup
    assert "0 % spent, 60 % reserved" in markup
    for name, shown in (("job_b", "Sum up March"), ("job_c", "job_c")):
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
