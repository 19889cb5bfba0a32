"""What tenants have used, the overhead and the prices; what each step of a job has used."""

from dataclasses import replace

from baton.console.admin.chart import REST, largest, stacked
from baton.settings.service_prices import LIST, Prices
from tests.unit.baton.api.client import with_keys
from tests.unit.baton.console.operator import Operator, operator_of
from tests.unit.baton.kit.stage import Stage


async def test_a_month_of_a_tenant_is_a_row(operator: Operator) -> None:
    """Once a job has ended; before that the page says so."""
    assert "No job has ended yet" in await operator.see("/console/usage")
    await operator.api.submitted(jobType="adds")
    await operator.stage.run()
    markup = await operator.see("/console/usage")
    assert "No job has ended yet" not in markup
    assert '<a href="/console/jobs?tenant=acme">acme</a>' in markup
    assert 'href="/console/usage" aria-current="page"' in markup


async def test_the_days_are_drawn_and_are_a_table(operator: Operator) -> None:
    """By the chosen series; what is filtered out is neither."""
    await operator.api.submitted(jobType="adds")
    await operator.stage.run()
    markup = await operator.see("/console/usage?split=agent")
    assert markup.count('<figure class="chart">') == 4
    assert "adds: 1</title>" in markup
    assert '<td data-name="agent">adds</td>' in markup
    assert '<td data-name="month">' in await operator.see("/console/usage?show=month&split=model")
    assert "No job of these has ended" in await operator.see("/console/usage?agent=other")


def test_what_there_is_too_much_of_to_draw_is_one_series() -> None:
    """The largest ones stand for themselves."""
    totals = {f"s{number}": float(number) for number in range(9)}
    assert largest(totals) == ["s8", "s7", "s6", "s5", "s4", REST]
    chart = stacked("Jobs", ["a", "b"], ["x", "y"], {("a", "x"): 3, ("b", "x"): 1, ("b", "y"): 1}, str)
    assert [(bar.kind, bar.x, bar.y, bar.height) for bar in chart.bars] == [
        (0, 0, 0, 96),
        (0, 50, 64, 32),
        (1, 50, 32, 32),
    ]


async def test_prices_are_reported_with_source_and_date() -> None:
    """One that is set with its list price."""
    settings = replace(with_keys(), prices=Prices(command_usd=0.0000015))
    async with operator_of(Stage(settings=settings)) as operator:
        markup = await operator.see("/console/usage")
    assert "$0.0000015 " in markup
    assert "list price $0.000002" in markup
    assert all(price.as_of in markup for price in LIST)
    assert markup.count("list price") == 1


async def test_nobody_sees_it_without_a_login() -> None:
    """It is about all tenants."""
    async with operator_of(logged_in=False) as operator:
        assert (await operator.http.get("/console/usage")).headers["location"].startswith("/console/login")


async def test_the_steps_of_a_job_have_a_page(operator: Operator) -> None:
    """Two turns, two calls, and what is beside them; a call's own page has its row."""
    job = await operator.api.submitted(jobType="adds")
    await operator.stage.run()
    path = f"/console/jobs/{job['id']}"
    assert f'href="{path}/steps"' in await operator.see(path)
    markup = await operator.see(f"{path}/steps")
    assert [markup.count(text) for text in ("turn 1</td>", "turn 2</td>", "of turn 1", "beside steps")] == [1, 1, 2, 1]
    (call, _) = (await operator.api.read(job["id"]))["toolCalls"]
    page = await operator.see(f"{path}/calls/{call['id']}")
    assert page.count("of turn 1") == 1
