"""Budgets: what keys have spent and reserved in their present periods, who waits for more, and a form to raise."""

import asyncio
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from baton.engine.waits import amount_text
from baton.server.api.admin.budgets import BudgetBody, BudgetsQuery, budget_view, budgets_of, changed
from baton.server.api.problem import parsed_query
from baton.server.console.form import field, number_in
from baton.server.console.gate import HOME, Visit
from baton.worker.runtime.job_view import job_summary
from baton_events.schema import parse_event

if TYPE_CHECKING:  # a process without budgets loads nothing of them
    from baton.store.records.budgets import BudgetRow

_PAGE, _WAITING = 50, 5
_FIELDS = ("key", "per", "unit", "limit", "period")


async def set_limit(visit: Visit) -> Response:
    given = {name: text for name in _FIELDS if (text := field(visit.form, name))}
    key = parsed_query(BudgetsQuery, {"key": given.pop("key", "")}).key or ""
    body = {name: number_in(text) if name == "limit" else text for name, text in given.items()}
    row = await changed(visit.container, key, parsed_query(BudgetBody, body, "form"))
    shown = budget_view(row)
    spent, limit = (amount_text(row.unit, shown[name]) for name in ("spent", "limit"))
    notice = f"The budget {key} per {row.per} is set: {spent} spent of {limit}."
    if row.declared is None:
        notice += (
            f" No call in this period has this budget: the limit stops nothing unless the code has Budget({key!r}, …)."
        )
    return visit.go(f"{HOME}/budgets", notice)


async def show(visit: Visit) -> Response:
    key, cursor = visit.query("key"), visit.query("cursor")
    parsed_query(BudgetsQuery, {"cursor": cursor} if cursor else {})
    rows, after = await budgets_of(visit.container).rows(key, _PAGE, cursor)
    waiting = await asyncio.gather(*(_waiting(visit, row) for row in rows))
    shown = [{**budget_view(row), **_bar(row), "jobs": jobs} for row, jobs in zip(rows, waiting, strict=True)]
    given = {name: field(visit.form, name) for name in _FIELDS} | ({} if visit.form else {"key": key})
    registry = visit.container.registry
    coded = [one.key for each in (registry.budgets, *(agent.budgets for agent in registry.agents)) for one in each]
    known = {row.key for row in rows if row.declared is not None} | {key for key in coded if isinstance(key, str)}
    return visit.page("budgets.html", rows=shown, key=key, cursor=after, given=given, known=sorted(known))


async def _waiting(visit: Visit, row: "BudgetRow") -> list[tuple[str, str]]:
    """Return the first jobs that wait, each with its title, or its id where its data is gone."""
    if not row.waiting:
        return []
    events = await budgets_of(visit.container).waiting(row.key, row.per, row.unit, _WAITING)
    names = [parse_event(event.encode()).job_id for event in events]
    found = await visit.container.ports.reader.jobs(names)
    return [(name, job_summary(found[name]) if name in found else name) for name in names]


def _bar(row: "BudgetRow") -> dict[str, Any]:
    """Return which percent of the bar are spent and reserved; it ends with the limit, or with what is more."""
    whole = max(row.limit, row.spent + row.reserved, 1)
    spent, reserved = 100 * row.spent / whole, 100 * row.reserved / whole
    used = 100 if row.limit <= row.spent else int(100 * row.spent / row.limit)
    return {"spent_share": round(spent, 2), "reserved_share": round(reserved, 2), "used": used}
