"""Alerts about budgets: which have reached half of their limit, four fifths, or all of it."""

from collections.abc import Sequence

from baton.engine.effects import Alert
from baton.sdk.records.budget import Unit, shown_amount
from baton.store.records.budgets import Reached, Want


def budget_alerts(job_id: str, wants: Sequence[Want], reached: Sequence[Reached]) -> tuple[Alert, ...]:
    """Return an alert for each share that a call's budgets have reached: once for a period, whoever reached it."""
    return tuple(_alert(job_id, wants[one.want], one) for one in reached)


def _alert(job_id: str, want: Want, reached: Reached) -> Alert:
    spent, limit = _text(want.unit, reached.spent), _text(want.unit, reached.limit)
    text = (
        f"the budget {want.key!r} for {reached.period} has reached {reached.percent} %: {spent} of {limit} {want.unit}"
    )
    once = ":".join(("budget", want.key, want.per, want.unit, reached.period, str(reached.percent), limit))
    return Alert(job_id, text, "budget", once)


def _text(unit: Unit, amount: int) -> str:
    shown = shown_amount(unit, amount)
    return f"{shown:,.2f}" if unit == "usd" else f"{shown:,.0f}"
