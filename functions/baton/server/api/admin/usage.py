"""Usage of ended jobs: tenants month by month with overhead of no job, or by day or month over the last 92 days."""

import re
from collections.abc import Iterable
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.engine.all_jobs.days import DAYS_KEPT, DayUsed, day_of, days_up_to
from baton.engine.all_jobs.ends import with_used
from baton.engine.transitions import END_STATUSES
from baton.server.api.jobs.context import Context
from baton.server.api.problem import ApiError, parsed_query
from baton.settings.service_prices import LIST, Paid, Prices, cost_of
from baton.worker.container import Container
from baton.worker.runtime.metering import OVERHEAD
from baton.worker.runtime.usage_view import gb_seconds

_MONTH_CHARS = len("2026-11")
_MONTH = re.compile(r"[0-9]{4}-[0-9]{2}")


class UsageQuery(BaseModel):
    """The query: months by tenant, or with `by` the last days or months by agent, tenant and model."""

    model_config = ConfigDict(extra="forbid")

    tenant: str = ""
    month: Annotated[str, Field(pattern=rf"^({_MONTH.pattern})?$")] = ""
    by: Literal["day", "month"] | None = None
    agent: str = ""
    model: str = ""
    first: Annotated[date | None, Field(alias="from")] = None
    last: Annotated[date | None, Field(alias="to")] = None

    @model_validator(mode="after")
    def _only_with_by(self) -> "UsageQuery":
        given = {"agent": self.agent, "model": self.model, "from": self.first, "to": self.last}
        if self.by is None and (lonely := [name for name, value in given.items() if value]):
            raise ValueError(f"{lonely[0]} needs by=day or by=month")
        if self.by and self.month:
            raise ValueError("month belongs to the sums without by: give from and to instead")
        return self


def _days(container: Container, wanted: UsageQuery) -> list[str]:
    """List the requested days, of those that are kept. Raises ApiError: 422, the first is behind the last."""
    if wanted.first and wanted.last and wanted.first > wanted.last:
        detail = f"from={wanted.first} is later than to={wanted.last}"
        raise ApiError(422, detail, [("from", detail)])
    first, last = (each.isoformat() if each else "" for each in (wanted.first, wanted.last))
    kept = days_up_to(day_of(container.ports.clock.now_ms()), DAYS_KEPT)
    return [day for day in kept if first <= day <= (last or day)]


async def periods_of(container: Container, wanted: UsageQuery) -> list[DayUsed]:
    """Read the sums of days, or of months in place of days, oldest first; a query's empty text stands for all."""
    return _grouped(await container.ports.admission_control.days(_days(container, wanted)), wanted)


async def _view(container: Container, wanted: UsageQuery) -> dict[str, Any]:
    rows = [
        {
            str(wanted.by): each.day,
            "agent": each.agent,
            "tenant": each.tenant,
            "model": each.model,
            **usage_and_cost(each.used, container.settings.prices),
            **{status: each.used.get(status, 0) for status in sorted(END_STATUSES)},
        }
        for each in await periods_of(container, wanted)
    ]
    return {"rows": rows, "keptDays": DAYS_KEPT}


def _grouped(days: Iterable[DayUsed], wanted: UsageQuery) -> list[DayUsed]:
    found: dict[tuple[str, str, str, str], dict[str, int]] = {}
    for each in days:
        asked = ((wanted.agent, each.agent), (wanted.tenant, each.tenant), (wanted.model, each.model))
        if all(want in ("", have) for want, have in asked):
            period = each.day[:_MONTH_CHARS] if wanted.by == "month" else each.day
            key = (period, each.agent, each.tenant, each.model)
            found[key] = with_used(found.get(key, {}), each.used)
    return [DayUsed(*key, found[key]) for key in sorted(found)]


async def show_usage(context: Context, request: Request) -> Response:
    """Answer `GET /api/admin/usage` with 200: months by tenant, overhead, prices; with `?by=`, days or months."""
    query = parsed_query(UsageQuery, request.query_params)
    if query.by is None:
        return JSONResponse(await monthly_usage(context.container, query))
    return JSONResponse(await _view(context.container, query))


async def monthly_usage(container: Container, query: UsageQuery) -> dict[str, Any]:
    ports, prices = container.ports, container.settings.prices
    await container.metering.flush()  # includes this process's own usage
    months, sums = await ports.admission_control.used(), await ports.counters.sums()
    overhead = {name.partition(":")[2]: much for name, much in sums.items() if name.startswith(f"{OVERHEAD}:")}
    wanted = (each for each in months if query.tenant in ("", each.tenant) and query.month in ("", each.month))
    return {
        "tenants": [
            {"tenant": each.tenant, "month": each.month, **usage_and_cost(each.used, prices)} for each in wanted
        ],
        "overhead": _overhead(overhead, prices),
        "prices": [
            {
                "name": price.field,
                "usd": getattr(prices, price.field),
                "per": price.per,
                "listUsd": price.usd,
                "source": price.source,
                "asOf": price.as_of,
            }
            for price in LIST
        ],
    }


def usage_and_cost(used: dict[str, int], prices: Prices) -> dict[str, Any]:
    """Return the usage of ended jobs and its cost, by the names of `End.used`."""
    usage = {
        "jobs": used.get("jobs", 0),
        "inputTokens": used.get("input_tokens", 0),
        "outputTokens": used.get("output_tokens", 0),
        **_counts(used),
        "costUsd": used.get("micro_usd", 0) / 1_000_000,
    }
    paid = _paid(used, used.get("micro_usd", 0) / 1_000_000)
    return {"usage": usage, "cost": cost_of(paid, prices)}


def _overhead(overhead: dict[str, int], prices: Prices) -> dict[str, Any]:
    used = {
        **overhead,
        "redis_requests": overhead.get("requests", 0),
        "redis_commands": overhead.get("commands", 0),
        "redis_bytes": overhead.get("size_bytes", 0),
    }
    usage = {**_counts(used), "sharedRequests": overhead.get("shared", 0)}
    return {"usage": usage, "cost": cost_of(_paid(used, 0.0), prices)}


def _counts(used: dict[str, int]) -> dict[str, Any]:
    return {
        "messages": used.get("messages", 0),
        "deliveries": used.get("deliveries", 0),
        "redisRequests": used.get("redis_requests", 0),
        "redisCommands": used.get("redis_commands", 0),
        "redisBytes": used.get("redis_bytes", 0),
        "functionMs": used.get("function_ms", 0),
        "gbSeconds": gb_seconds(used.get("mb_ms", 0)),
    }


def _paid(used: dict[str, int], model_usd: float) -> Paid:
    names = ("messages", "deliveries", "redis_commands", "redis_bytes", "mb_ms")
    messages, deliveries, commands, size_bytes, mb_ms = (used.get(name, 0) for name in names)
    return Paid(messages, deliveries, commands, size_bytes, mb_ms, model_usd)
