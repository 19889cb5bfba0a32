"""The first page: what runs, waits, has failed and costs, today beside yesterday.

It also stops and starts the admission. Invariant: the number of its reads is the same, however many jobs there are.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from starlette.responses import Response

from baton.engine.all_jobs.days import day_of
from baton.engine.all_jobs.ends import with_used
from baton.engine.all_jobs.job_list import Query
from baton.engine.state import CallRecord, Job
from baton.server.api.admin.control import start_admission, stop_admission, worker_view
from baton.server.api.admin.usage import UsageQuery, periods_of, usage_and_cost
from baton.server.api.jobs.listing import job_list, page_of_jobs
from baton.server.api.jobs.query import PageQuery, lack_of
from baton.server.console.admin.chart import day_chart
from baton.server.console.gate import HOME, Visit
from baton.server.console.shown import Failing, Fault, grouped, job_shown, last_day_ms, one_line, pending_of
from baton.store.records.jobs import Snapshot
from baton.worker.runtime.gone_agents import gone_agents
from baton.worker.runtime.job_view import job_summary

_NEWEST, _OF_A_KIND, _NAMED, _ROWS, _READ, _MOST_CALLS = 10, 5, 3, 1_000, 300, 1_000


async def show(visit: Visit) -> Response:
    control, today = visit.container.ports.admission_control, day_of(visit.now_ms)
    completed = Query(statuses=frozenset({"completed"}), after_ms=last_day_ms(visit.now_ms))
    state, live, (ended,), days, newest, (failed, more_failed) = await asyncio.gather(
        control.state(),
        control.live(),
        visit.container.ports.listing.counts([completed]),
        _sums(visit, today),
        page_of_jobs(visit.container, visit.principal, PageQuery.model_validate({"limit": _NEWEST})),
        failed_lately(visit),
    )
    failed_at = Counter(job.created_at_ms for job in failed)
    unfinished, unfit = await job_list(visit.container).statuses(live, visit.now_ms)
    return visit.page(
        "overview.html",
        state=worker_view(state),
        asked=await _asked(visit),
        gone=gone_agents(visit.container.registry, live),
        unfinished=unfinished,
        unfit=unfit,
        slots=Counter(entry.tenant for entry in live.values() if entry.slot),
        days=days,
        newest=await rows_of(visit, newest.jobs),
        failed=await named_errors(visit, failed),
        more_failed=more_failed,
        chart_of_day=day_chart({"completed": ended, "failed": failed_at}, visit.now_ms),
    )


async def _sums(visit: Visit, today: str) -> list[dict[str, Any]]:
    yesterday = (date.fromisoformat(today) - timedelta(1)).isoformat()
    used: dict[str, dict[str, int]] = {today: {}, yesterday: {}}
    for each in await periods_of(visit.container, UsageQuery.model_validate({"by": "day", "from": yesterday})):
        used[each.day] = with_used(used[each.day], each.used)
    return [{**usage_and_cost(each, visit.container.settings.prices), "ends": each} for each in used.values()]


async def failed_lately(visit: Visit, agent: str = "") -> tuple[list[Job], bool]:
    """Return the last day's newest failed jobs, of which the records alone are read, and whether there are more."""
    ports, since_ms = visit.container.ports, last_day_ms(visit.now_ms)
    query = Query(agent=agent, statuses=frozenset({"failed"}), after_ms=since_ms)
    rows = (await ports.listing.scan(query, "", _ROWS)).found
    jobs = await ports.reader.records([row.job_id for row in rows[:_READ]])
    return [job for job in jobs if job.status == "failed" and agent in ("", job.agent)], len(rows) > _READ


async def named_errors(visit: Visit, failed: Sequence[Job]) -> list[Fault]:
    found = await errors_of(visit, failed)
    return await named(visit, found, {one.id: one.id for each in found for one in each.members[:_NAMED]})


async def errors_of(visit: Visit, failed: Sequence[Job]) -> list[Fault]:
    calls = await _calls_of(visit, [job for job in failed if job.model.is_programmed])
    return grouped(Failing.of_job(job, calls.get(job.id, ())) for job in failed)


async def named(visit: Visit, found: list[Fault], jobs: Mapping[str, str]) -> list[Fault]:
    """Say of the first ones what their newest jobs are about, and the place that they lack, if the job has it.

    `jobs`: the job of what has failed, by its id; some have none.
    """
    for each in found:
        each.jobs = {name: name for one in each.members[:_NAMED] if (name := jobs.get(one.id))}
    names = [name for each in found[: 3 * _OF_A_KIND] for name in each.jobs]
    for name, snapshot in (await visit.container.ports.reader.jobs(names)).items():
        each = next(each for each in found if name in each.jobs)
        each.jobs[name] = job_summary(snapshot)
        if (
            (error := snapshot.job.error)
            and error.traceback
            and not each.place
            and one_line(error.message, 100).rstrip("…") in one_line(each.newest.message, 600)
        ):
            [own] = await errors_of(visit, [snapshot.job])
            each.kind, each.place, each.function = own.kind, own.place, own.function
    return found


async def rows_of(visit: Visit, found: Sequence[Snapshot]) -> list[dict[str, Any]]:
    calls, prices = await _calls_of(visit, [one.job for one in found]), visit.container.settings.prices
    return [
        job_shown(replace(one, calls=calls.get(one.job.id, ())), prices, visit.now_ms) | about_code(visit, one.job)
        for one in found
    ]


def about_code(visit: Visit, job: Job) -> dict[str, Any]:
    """Return whether the deploy lacks the agent of a job that needs it, and for how many seconds one waits for code."""
    is_gone = not job.ended and not job.handles[1] and bool(lack_of(visit.container.registry, job.agent))
    return {"is_gone": is_gone, "patience": visit.container.settings.changed_code_seconds}


async def _calls_of(visit: Visit, jobs: Sequence[Job]) -> dict[str, tuple[CallRecord, ...]]:
    names, left = list[str](), _MOST_CALLS
    for job in jobs:
        if 0 < (count := job.used.tool_calls) <= left:
            names, left = [*names, job.id], left - count
    return await visit.container.ports.reader.calls(names)


async def _asked(visit: Visit) -> list[dict[str, Any]]:
    job, names = visit.container.ports.reader.job, dict.fromkeys(visit.asked[:_OF_A_KIND])
    found = await asyncio.gather(*(job(name, partly=True) for name in names))
    views = [view for one in found if one for view in pending_of(one, visit.now_ms)]
    return sorted(views, key=lambda view: view["expiresAt"] or "~")[:_OF_A_KIND]


async def start(visit: Visit) -> Response:
    await start_admission(visit.container)
    return visit.go(HOME, "Jobs start again.")


async def stop(visit: Visit) -> Response:
    await stop_admission(visit.container)
    return visit.go(HOME, "No job starts from now on; those that are processing continue.")
