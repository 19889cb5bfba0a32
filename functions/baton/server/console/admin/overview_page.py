"""The first page: what runs, waits, has failed and costs, today beside yesterday.

It also stops and starts the admission. Invariant: the number of its reads is the same, however many jobs there are.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from starlette.responses import Response

from baton.engine.all_jobs.days import day_of
from baton.engine.all_jobs.ends import with_used
from baton.engine.all_jobs.job_list import Query
from baton.server.api.admin.control import start_admission, stop_admission, worker_view
from baton.server.api.admin.usage import UsageQuery, periods_of, usage_and_cost
from baton.server.api.jobs.listing import page_of_jobs
from baton.server.api.jobs.query import MOST_ROWS, PageQuery
from baton.server.console.admin.chart import HOUR_MS, day_chart
from baton.server.console.gate import HOME, Visit
from baton.server.console.shown import errors_of, job_shown, pending_of
from baton.store.records.jobs import Snapshot
from baton.worker.runtime.gone_agents import gone_agents

_NEWEST, _OF_A_KIND, _ROWS = 10, 5, 1_000
_ENDED = ("completed", "failed")


async def show(visit: Visit) -> Response:
    control, today = visit.container.ports.admission_control, day_of(visit.now_ms)
    state, live, ended, days, newest, failed = await asyncio.gather(
        control.state(),
        control.live(),
        asyncio.gather(*(_came(visit, status) for status in _ENDED)),
        _sums(visit, today),
        _jobs(visit, _NEWEST),
        failed_today(visit),
    )
    slots = Counter(entry.tenant for entry in live.values() if entry.slot)
    line = Counter(entry.tenant for entry in live.values() if entry.want == "slot" and not entry.slot)
    idle = Counter(entry.tenant for entry in live.values() if entry.want != "slot" and not entry.slot)
    return visit.page(
        "overview.html",
        state=worker_view(state),
        asked=await _asked(visit),
        waiting=idle.total(),
        gone=gone_agents(visit.container.registry, live),
        tenants=[(name, slots[name], line[name], idle[name]) for name in sorted({*slots, *line, *idle})],
        days=days,
        newest=[job_shown(one, visit.container.settings.prices, visit.now_ms) for one in newest],
        failed=failed,
        today=today,
        chart_of_day=day_chart(dict(zip(_ENDED, ended, strict=True)), visit.now_ms),
        is_cut=max(map(len, ended)) >= _ROWS,
    )


async def _came(visit: Visit, status: str) -> list[int]:
    """Return when the jobs of the last day came that have this status, of the newest ones."""
    query = Query(statuses=frozenset({status}), after_ms=(visit.now_ms // HOUR_MS - 23) * HOUR_MS)
    scanned = await visit.container.ports.listing.scan(query, "", _ROWS)
    return [row.created_ms for row in scanned.found if row.created_ms >= query.after_ms]


async def _sums(visit: Visit, today: str) -> list[dict[str, Any]]:
    """Return what the jobs that ended today have used, and yesterday."""
    yesterday = (date.fromisoformat(today) - timedelta(1)).isoformat()
    used: dict[str, dict[str, int]] = {today: {}, yesterday: {}}
    for each in await periods_of(visit.container, UsageQuery.model_validate({"by": "day", "from": yesterday})):
        used[each.day] = with_used(used[each.day], each.used)
    return [{**usage_and_cost(each, visit.container.settings.prices), "ends": each} for each in used.values()]


async def _jobs(visit: Visit, limit: int, **query: str) -> Sequence[Snapshot]:
    wanted = PageQuery.model_validate({**query, "limit": limit})
    return (await page_of_jobs(visit.container, visit.principal, wanted)).jobs


async def failed_today(visit: Visit, **query: str) -> list[dict[str, Any]]:
    """Return the errors of today's newest failed jobs."""
    today = day_of(visit.now_ms)
    failed = await _jobs(visit, MOST_ROWS, status="failed", createdAfter=f"{today}T00:00:00Z", **query)
    return (await placed_errors(visit, failed, today))[:_OF_A_KIND]


async def placed_errors(visit: Visit, failed: Sequence[Snapshot], created_after: str) -> list[dict[str, Any]]:
    """Return `errors_of`, the first ones with a place: where a step has failed its job, the step has it."""
    without = [each["jobs"][0] for each in errors_of(failed)[:_OF_A_KIND] if not each["place"]]
    read = await asyncio.gather(*(visit.container.ports.reader.job(job_id, partly=True) for job_id in without))
    whole = {one.job.id: one for one in read if one}
    return errors_of([whole.get(one.job.id, one) for one in failed], created_after)


async def _asked(visit: Visit) -> list[dict[str, Any]]:
    job, names = visit.container.ports.reader.job, dict.fromkeys(visit.asked[:_OF_A_KIND])
    found = await asyncio.gather(*(job(name, partly=True) for name in names))
    return [view for one in found if one for view in pending_of(one, visit.now_ms)][:_OF_A_KIND]


async def start(visit: Visit) -> Response:
    """Start the admission: jobs get slots from now on."""
    await start_admission(visit.container)
    return visit.go(HOME, "Jobs are admitted again.")


async def stop(visit: Visit) -> Response:
    """Stop the admission: no job gets a slot from now on."""
    await stop_admission(visit.container)
    return visit.go(HOME, "No job gets a slot from now on; jobs that hold one continue.")
