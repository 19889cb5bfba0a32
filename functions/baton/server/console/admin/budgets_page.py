"""Budgets: what keys have spent and reserved in their present periods, who waits for more, and a form to raise."""

import asyncio

from starlette.responses import Response

from baton.engine.waits import amount_text
from baton.server.api.admin.budgets import BudgetBody, BudgetsQuery, budget_view, budgets_of, changed, waiting_for
from baton.server.api.problem import parsed_query
from baton.server.console.form import field, number_in
from baton.server.console.gate import HOME, Visit
from baton.worker.runtime.job_view import job_summary

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
        notice += f" No call in this period has it: the limit stops nothing unless the code has Budget({key!r}, …)."
    return visit.go(f"{HOME}/budgets", notice)


async def show(visit: Visit) -> Response:
    key, cursor = visit.query("key"), visit.query("cursor")
    parsed_query(BudgetsQuery, {"cursor": cursor} if cursor else {})
    rows, after = await budgets_of(visit.container).rows(key, _PAGE, cursor)
    found = await asyncio.gather(*(waiting_for(visit.container, row) for row in rows))
    shown = [
        {**budget_view(row), "jobs": [(one.job.id, job_summary(one)) for one in jobs[:_WAITING]]} for row, jobs in found
    ]
    given = {name: field(visit.form, name) for name in _FIELDS} | ({} if visit.form else {"key": key})
    registry = visit.container.registry
    coded = [one.key for each in (registry.budgets, *(agent.budgets for agent in registry.agents)) for one in each]
    known = {row.key for row in rows if row.declared is not None} | {key for key in coded if isinstance(key, str)}
    return visit.page("budgets.html", rows=shown, key=key, cursor=after, given=given, known=sorted(known))
