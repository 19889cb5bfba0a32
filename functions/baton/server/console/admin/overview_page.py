"""The first page: what runs, waits, has failed and costs, today beside yesterday.

It also stops and starts the admission. Invariant: the number of its reads is the same, however many jobs there are.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from starlette.responses import Response

from baton.engine.all_jobs.days import day_of
from baton.engine.all_jobs.ends import with_used
from baton.engine.all_jobs.job_list import Query
from baton.engine.state import Job
from baton.server.api.admin.control import start_admission, stop_admission, worker_view
from baton.server.api.admin.usage import UsageQuery, periods_of, usage_and_cost
from baton.server.api.jobs.listing import page_of_jobs
from baton.server.api.jobs.query import MOST_ROWS, PageQuery
from baton.server.console.admin.chart import day_chart
from baton.server.console.gate import HOME, Visit
from baton.server.console.shown import Failing, Fault, grouped, job_shown, last_day_ms, one_line, pending_of, place_in
from baton.worker.runtime.gone_agents import gone_agents

_NEWEST, _OF_A_KIND, _ROWS = 10, 5, 1_000
_ENDED = ("completed", "failed")


async def show(visit: Visit) -> Response:
    control, today = visit.container.ports.admission_control, day_of(visit.now_ms)
    from_ms = last_day_ms(visit.now_ms)
    state, live, ended, days, newest, failed = await asyncio.gather(
        control.state(),
        control.live(),
        visit.container.ports.listing.counts(
            [Query(statuses=frozenset({status}), after_ms=from_ms) for status in _ENDED]
        ),
        _sums(visit, today),
        page_of_jobs(visit.container, visit.principal, PageQuery.model_validate({"limit": _NEWEST})),
        failed_lately(visit),
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
        newest=[job_shown(one, visit.container.settings.prices, visit.now_ms) for one in newest.jobs],
        failed=failed,
        chart_of_day=day_chart(dict(zip(_ENDED, ended, strict=True)), visit.now_ms),
    )


async def _sums(visit: Visit, today: str) -> list[dict[str, Any]]:
    """Return what the jobs that ended today have used, and yesterday."""
    yesterday = (date.fromisoformat(today) - timedelta(1)).isoformat()
    used: dict[str, dict[str, int]] = {today: {}, yesterday: {}}
    for each in await periods_of(visit.container, UsageQuery.model_validate({"by": "day", "from": yesterday})):
        used[each.day] = with_used(used[each.day], each.used)
    return [{**usage_and_cost(each, visit.container.settings.prices), "ends": each} for each in used.values()]


async def failed_lately(visit: Visit, agent: str = "") -> list[Fault]:
    """Return the errors of the last day's newest failed jobs, of which the records alone are read, all at once."""
    ports, since_ms = visit.container.ports, last_day_ms(visit.now_ms)
    query = Query(agent=agent, statuses=frozenset({"failed"}), after_ms=since_ms)
    rows = (await ports.listing.scan(query, "", _ROWS if agent else MOST_ROWS)).found
    jobs = await ports.reader.records([row.job_id for row in rows if row.created_ms >= since_ms][:MOST_ROWS])
    mine = [job for job in jobs if job.status == "failed" and agent in ("", job.agent)]
    return (await placed_errors(visit, mine))[:_OF_A_KIND]


async def placed_errors(visit: Visit, failed: Sequence[Job]) -> list[Fault]:
    found = grouped(Failing.of_job(job) for job in failed)
    return await placed(visit, found, {each.newest.id: each.newest.id for each in found})


async def placed(visit: Visit, found: list[Fault], jobs: Mapping[str, str]) -> list[Fault]:
    """Look up the places that the first ones lack: in their job's error, or in the call whose words that repeats.

    `jobs`: the job of what has failed, by its id; some have none.
    """
    names = {each.id: name for each in found[:_OF_A_KIND] if not each.place and (name := jobs.get(each.newest.id))}
    reader = visit.container.ports.reader
    records, calls = await asyncio.gather(reader.records([*names.values()]), reader.calls([*names.values()]))
    errors = {job.id: job.error for job in records}
    for each in found:
        name, newest = names.get(each.id, ""), one_line(each.newest.message, 600)
        for one in (errors.get(name), *(call.error for call in reversed(calls.get(name, ())))):
            if one and not each.place and one_line(one.message, 100).rstrip("…") in newest:
                each.kind, each.place = one.type, place_in(one.traceback)
    return found


async def _asked(visit: Visit) -> list[dict[str, Any]]:
    job, names = visit.container.ports.reader.job, dict.fromkeys(visit.asked[:_OF_A_KIND])
    found = await asyncio.gather(*(job(name, partly=True) for name in names))
    return [view for one in found if one for view in pending_of(one, visit.now_ms)][:_OF_A_KIND]


async def start(visit: Visit) -> Response:
    await start_admission(visit.container)
    return visit.go(HOME, "Jobs start again.")


async def stop(visit: Visit) -> Response:
    await stop_admission(visit.container)
    return visit.go(HOME, "No job starts from now on; those at work continue.")
