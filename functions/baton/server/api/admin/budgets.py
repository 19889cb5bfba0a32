"""Budgets for operators: what keys have spent, and the limits that people set.

Invariant: whoever waits for a budget is woken by the request that gives it more.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.engine.approvals import raised_event
from baton.engine.waits import LIMIT_APPROVAL
from baton.engine.work_items import ItemKind
from baton.queue.dispatch import delivery
from baton.sdk.records.call_limit import LONGEST_KEY_CHARS
from baton.sdk.records.limits import LEAST_USD, MOST, MOST_USD
from baton.server.api.jobs.context import Context
from baton.server.api.problem import ApiError, invalid_by, limited_body, parsed, parsed_query
from baton.store.records.jobs import Snapshot
from baton.worker.container import Container
from baton_events.ids import event_id
from baton_events.schema import parse_event
from baton_events.timestamps import rfc3339

if TYPE_CHECKING:  # a process without budgets loads nothing of them
    from baton.store.records.budgets import BudgetRow
    from baton.store.redis.budgets import Budgets

Per = Literal["day", "month", "total"]
Unit = Literal["usd", "tokens"]
_READ = 200  # of those that wait for a budget; the others count without a look
_Key = Annotated[str, Field(min_length=1, max_length=LONGEST_KEY_CHARS)]


class BudgetsQuery(BaseModel):
    """Which budgets: all of a key, or a page of those last used."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: _Key | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str, Field(pattern=r"^[0-9]{1,15}-[0-9]{1,9}$")] | None = None


class BudgetBody(BaseModel):
    """A limit, in US dollars or tokens. `unit`: needed where the key has two. `present`: until its period ends."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    per: Per
    limit: Annotated[float, Field(strict=True, ge=0, le=MOST, allow_inf_nan=False)]
    unit: Unit | None = None
    period: Literal["present", "every"] = "present"


class ClearQuery(BaseModel):
    """Whose limits are taken away."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    per: Per


async def show_budgets(context: Context, request: Request) -> Response:
    """Answer 200 with budgets in their present periods, those last used first."""
    query = parsed_query(BudgetsQuery, request.query_params)
    rows, cursor = await budgets_of(context.container).rows(query.key or "", query.limit, query.cursor or "")
    answer: dict[str, Any] = {"budgets": [budget_view((await waiting_for(context.container, row))[0]) for row in rows]}
    return JSONResponse(answer | ({"cursor": cursor} if cursor else {}))


async def set_budget(context: Context, request: Request) -> Response:
    """Answer 200 with the budget, and wake calls that it has room for now."""
    body = parsed(BudgetBody, await limited_body(request) or b"{}")
    return JSONResponse(budget_view(await changed(context.container, _key_of(request), body)))


async def clear_budget(context: Context, request: Request) -> Response:
    """Answer 204: the limits count again that calls declare; what is spent stays."""
    query = parsed_query(ClearQuery, request.query_params)
    budgets, key = budgets_of(context.container), _key_of(request)
    for unit in await budgets.units(key, query.per):
        await _wake(context.container, await budgets.set_limit(key, query.per, unit, None))
    return Response(status_code=204)


async def changed(container: Container, key: str, body: BudgetBody) -> "BudgetRow":
    """Set a limit, and return its budget.

    Raises ApiError: 422, the unit is missing, or the limit is none of this unit.
    """
    from baton.sdk.records.budget import amount_of  # noqa: PLC0415 - as above

    budgets = budgets_of(container)
    units: Sequence[Unit] = [body.unit] if body.unit else [*await budgets.units(key, body.per)] or ["usd"]
    if len(units) > 1:
        raise invalid_by([("unit", f"the key {key!r} has budgets in {' and '.join(units)}: pass one of them")])
    unit: Unit = units[0]
    if unit == "tokens" and not body.limit.is_integer():
        message = f"a number of tokens must be whole, got {body.limit!r}: pass {math.ceil(body.limit)}"
        raise invalid_by([("limit", message)])
    if unit == "usd" and body.limit > MOST_USD:
        raise invalid_by([("limit", f"a limit in US dollars is at most {MOST_USD}, got {body.limit!r}")])
    if unit == "usd" and 0 < body.limit < LEAST_USD:
        message = f"a limit in US dollars is 0 or at least {LEAST_USD:f}, got {body.limit!r}: pass one of them"
        raise invalid_by([("limit", message)])
    rows, _ = await budgets.rows(key)
    for row in rows:
        await waiting_for(container, row)  # whoever is gone is not woken in the place of others
    woken = await budgets.set_limit(key, body.per, unit, amount_of(unit, body.limit), every=body.period == "every")
    await _wake(container, woken)
    rows, _ = await budgets.rows(key)
    return next(row for row in rows if (row.per, row.unit) == (body.per, unit))


def budgets_of(container: Container) -> "Budgets":
    if container.ports.budgets is None:
        raise ApiError(503, "this deployment keeps no budgets")
    made: Budgets = container.ports.budgets()
    return made


async def waiting_for(container: Container, row: "BudgetRow") -> "tuple[BudgetRow, list[Snapshot]]":
    """Return a budget with the number of jobs that wait for it still, and those of them that came first.

    It forgets jobs that have gone on by a decision, or have ended: neither knows of the budget.
    """
    named = (row.key, row.per, row.unit)
    noted = await budgets_of(container).waiting(*named, _READ) if row.waiting else ()
    events = [parse_event(event.encode()) for event in noted]
    jobs = await container.ports.reader.jobs([*{event.job_id for event in events}])
    items = [(job.job, item) for job in jobs.values() for item in job.items]
    turns = [(job, item) for job, item in items if item.kind is ItemKind.LOOP or item.tool == LIMIT_APPROVAL]
    names = {raised_event(job, item.turn, item.attempt, *named).id for job, item in turns}
    names |= {event_id(item.key) for _, item in turns}
    gone = [text for event, text in zip(events, noted, strict=True) if event.id not in names]
    if gone:
        await budgets_of(container).forget(*named, gone)
    still = [jobs[event.job_id] for event in events if event.id in names]
    return replace(row, waiting=row.waiting - len(gone)), still


def budget_view(row: "BudgetRow") -> dict[str, Any]:
    from baton.sdk.records.budget import shown_amount  # noqa: PLC0415 - as above

    names = ("limit", "spent", "reserved", "left", "largest")
    return {
        "key": row.key,
        "per": row.per,
        "timeZone": row.time_zone,
        "unit": row.unit,
        "period": row.period,
        "declared": None if row.declared is None else shown_amount(row.unit, row.declared),
        **{name: shown_amount(row.unit, getattr(row, name)) for name in names},
        "waiting": row.waiting,
        "resetsAt": rfc3339(row.resets_ms) if row.resets_ms else None,
    }


def _key_of(request: Request) -> str:
    key: str = request.path_params["key"]
    if not 0 < len(key) <= LONGEST_KEY_CHARS:
        raise invalid_by([("key", f"a key has 1 to {LONGEST_KEY_CHARS} characters, got {len(key)}")], "path")
    return key


async def _wake(container: Container, events: tuple[str, ...]) -> None:
    """Publish the events of calls that wait, all together; each asks anew. Where that fails, they wait on."""
    if events:
        once = f"raised.{container.ports.clock.now_ms()}"
        await container.emitter.emit_many([delivery(parse_event(event.encode()), 0, once) for event in events])
