"""Usage of ended jobs by day or month, agent, tenant and model, over the last 92 days."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from msgspec import Struct, field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.engine.all_jobs.days import DAYS_KEPT, DayUsed, day_of, days_up_to
from baton.engine.all_jobs.ends import with_used
from baton.engine.transitions import END_STATUSES
from baton.server.api.admin.usage import UsageQuery, monthly_usage, usage_and_cost
from baton.server.api.jobs.context import Context
from baton.server.api.problem import ApiError, parsed_query
from baton.worker.container import Container

_MONTH_CHARS = len("2026-11")


class Wanted(Struct, frozen=True):
    """The rows to return: one a day or month, for an agent, a tenant and a model; an empty text stands for all."""

    by: str = "day"
    agent: str = ""
    tenant: str = ""
    model: str = ""
    first: date | None = None
    last: date | None = None


class Period(Struct):
    """The usage of one agent, tenant and model in a day or month."""

    period: str
    agent: str
    tenant: str
    model: str
    used: dict[str, int] = field(default_factory=dict[str, int])


def _days(container: Container, wanted: Wanted) -> list[str]:
    """List the requested days, of those that are kept.

    Raises:
        ApiError: 422, the first is behind the last.
    """
    if wanted.first and wanted.last and wanted.first > wanted.last:
        detail = f"from={wanted.first} is later than to={wanted.last}"
        raise ApiError(422, detail, [("from", detail)])
    first, last = (each.isoformat() if each else "" for each in (wanted.first, wanted.last))
    kept = days_up_to(day_of(container.ports.clock.now_ms()), DAYS_KEPT)
    return [day for day in kept if first <= day <= (last or day)]


async def periods_of(container: Container, wanted: Wanted) -> list[Period]:
    """Read the sums, oldest first."""
    return _grouped(await container.ports.admission_control.days(_days(container, wanted)), wanted)


async def _view(container: Container, wanted: Wanted) -> dict[str, Any]:
    """Return the answer of the API."""
    rows = [
        {
            wanted.by: each.period,
            "agent": each.agent,
            "tenant": each.tenant,
            "model": each.model,
            **usage_and_cost(each.used, container.settings.prices),
            **{status: each.used.get(status, 0) for status in sorted(END_STATUSES)},
        }
        for each in await periods_of(container, wanted)
    ]
    return {"rows": rows, "keptDays": DAYS_KEPT}


def _grouped(days: Iterable[DayUsed], wanted: Wanted) -> list[Period]:
    found: dict[tuple[str, str, str, str], Period] = {}
    for each in days:
        asked = ((wanted.agent, each.agent), (wanted.tenant, each.tenant), (wanted.model, each.model))
        if all(want in ("", have) for want, have in asked):
            period = each.day if wanted.by == "day" else each.day[:_MONTH_CHARS]
            key = (period, each.agent, each.tenant, each.model)
            sums = found.setdefault(key, Period(*key))
            sums.used = with_used(sums.used, each.used)
    return [found[key] for key in sorted(found)]


async def show_usage(context: Context, request: Request) -> Response:
    """Answer `GET /api/admin/usage` with 200: months by tenant, overhead, prices; with `?by=`, days or months."""
    query = parsed_query(UsageQuery, request.query_params)
    if query.by is None:
        return JSONResponse(await monthly_usage(context.container, query))
    wanted = Wanted(query.by, query.agent, query.tenant, query.model, query.first, query.last)
    return JSONResponse(await _view(context.container, wanted))
