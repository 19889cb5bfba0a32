"""Alerts about budgets."""

from baton.sdk.records.budget import Unit
from baton.store.records.budgets import Reached, Want
from baton.worker.admission.budgeted import budget_alerts


def want(key: str, unit: Unit) -> Want:
    return Want(key, "day", unit, "UTC", 1, None, ())


def test_an_alert_names_the_budget_its_share_and_its_sums() -> None:
    """Once for a share of a period, and once more where the limit has changed."""
    wants = [want("user:7", "usd"), want("acme", "tokens")]
    reached = [Reached(0, 80, "2026-11-28", 4_000_000, 5_000_000), Reached(1, 100, "total", 2_100_000, 2_000_000)]
    first, second = budget_alerts("job_a", wants, reached)
    assert first.message == "the budget 'user:7' for 2026-11-28 has reached 80 %: 4.00 of 5.00 usd"
    assert second.message == "the budget 'acme' for total has reached 100 %: 2,100,000 of 2,000,000 tokens"
    assert (first.job_id, first.kind, first.once) == ("job_a", "budget", "budget:user:7:day:usd:2026-11-28:80:5.00")
    assert budget_alerts("job_b", wants, reached[:1])[0].once == first.once
    assert budget_alerts("job_b", wants, [Reached(0, 80, "2026-11-28", 8, 10_000_000)])[0].once != first.once
