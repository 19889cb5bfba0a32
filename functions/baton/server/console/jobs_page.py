"""The list of jobs, the newest first, by a filter, with those below them, and one change of all that match.

The address is the filter, so a bookmark keeps it. A plain date means that day in UTC: from its beginning, or to its
end. A bulk change first shows the number of matching jobs, and a second form makes it. A job's id leads to its page.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from typing import Any

from starlette.datastructures import QueryParams
from starlette.responses import Response

from baton.engine.transitions import JobStatus
from baton.engine.waits import UNFIT
from baton.server.api.jobs.bulk_change import BulkBody, changed_in_bulk
from baton.server.api.jobs.listing import JobPage, page_of_jobs
from baton.server.api.jobs.query import PageQuery, read_page_query
from baton.server.api.problem import ApiError, parsed_query
from baton.server.console.admin.overview_page import errors_of, named_errors, rows_of
from baton.server.console.form import field
from baton.server.console.gate import Visit
from baton.server.console.shown import exact
from baton.store.records.jobs import Snapshot

# Rounds of a hundred jobs each: more at once would outlast a request. Of the newest some are shown, or their errors.
_ROUNDS, _LONG, _SHOWN, _MS_DIGITS = 10, "100", 10, 13
# The API's filters, and the console's own: a card's error, a time in ms since when jobs were
# retried, the version of their agent when they were submitted, and whether they wait for code.
_OF_API = ("q", "status", "jobType", "tenant", "sessionId", "tag", "createdAfter", "createdBefore", "parentJobId")
_OWN = ("error", "retried", "version", "unfit")
FILTERS = (*_OF_API, *_OWN)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def given_in(params: QueryParams) -> dict[str, str]:
    """Return an address's filter; several tags are one text with commas."""
    given = {name: params.get(name, "").strip() for name in FILTERS}
    return given | {"tag": ", ".join(tag.strip() for tag in params.getlist("tag") if tag.strip())}


def wanted(given: dict[str, str]) -> dict[str, Any]:
    """Convert the filter to the API's form."""
    found: dict[str, Any] = {name: text for name, text in given.items() if text and name in _OF_API}
    if "tag" in found:
        found["tag"] = [tag.strip() for tag in given["tag"].split(",") if tag.strip()]
    for name, days in (("createdAfter", 0), ("createdBefore", 1)):
        if name in found:
            found[name] = _moment(found[name], days)
    return found


def _moment(text: str, days: int) -> str:
    """Convert a plain date to a time; any other text is left to the API."""
    try:
        day = date.fromisoformat(text) + timedelta(days) if _DATE.fullmatch(text) else None
    except OverflowError:  # the last day that there is
        return f"{text}T23:59:59Z"
    except ValueError:
        return text
    return f"{day}T00:00:00Z" if day else text


def query_of(given: dict[str, str], **more: str) -> QueryParams:
    pairs = [(name, one) for name, text in wanted(given).items() for one in (text if name == "tag" else [text])]
    return QueryParams([*pairs, *((name, text) for name, text in more.items() if text)])


async def _page(visit: Visit, given: dict[str, str], limit: str, cursor: str = "") -> JobPage:
    query = read_page_query(query_of(given, limit=limit, cursor=cursor))
    return await _meant(visit, given, await page_of_jobs(visit.container, visit.principal, query))


async def _meant(visit: Visit, given: dict[str, str], page: JobPage) -> JobPage:
    """Leave out jobs that the console's own filters do not mean."""
    jobs, since, error = page.jobs, given.get("retried", "")[:_MS_DIGITS], given.get("error")
    if since.isdecimal():
        jobs = tuple(one for one in jobs if one.job.counted_from_ms >= int(since))
    if version := given.get("version"):
        jobs = tuple(one for one in jobs if one.job.agent_version == version)
    if given.get("unfit"):
        jobs = tuple(one for one in jobs if any(UNFIT in item.memo for item in one.items))
    if error:
        groups = await errors_of(visit, [one.job for one in jobs if one.job.status == "failed"])
        alike = {one.id for each in groups if each.id == error for one in each.members}
        jobs = tuple(one for one in jobs if one.job.id in alike)
    return replace(page, jobs=jobs)


async def _bulk_form(visit: Visit) -> Response:
    """Show the number of matching jobs, and ask for confirmation: of these, and of none that comes later."""
    action = visit.query("action")
    given = {name: text for name, text in given_in(visit.request.query_params).items() if text}
    matched, _, more = await _all(visit, action, given, dry_run=True)
    until, page = exact(visit.now_ms + 1), JobPage(())
    if matched:
        page = await _page(visit, given, _LONG)
    failed = [one.job for one in page.jobs if one.job.status == "failed" and action == "retry"]
    live = [one for one in page.jobs if not one.job.ended and action == "cancel"][:_SHOWN]
    shown = {"errors": await named_errors(visit, failed), "jobs": await rows_of(visit, live), "until": until}
    return visit.page("bulk.html", 0, action=action, given=given, matched=matched, more=more, **shown)


async def change_all(visit: Visit) -> Response:
    """Change the jobs; show how many were changed, and how many could not be."""
    action = field(visit.form, "action")
    given = {name: text for name in FILTERS if (text := field(visit.form, name))}
    matched, changed, more = await _all(visit, action, given, dry_run=False)
    notice = f"{changed} of {matched} jobs {'are cancelled' if action == 'cancel' else 'run again'}."
    if more:
        notice += " There may be more: do it again."
    kept = {name: text for name, text in given.items() if name not in ("q", "status", *_OWN)}
    came = {"status": "cancelled"} if action == "cancel" else {"retried": str(visit.now_ms)}
    return visit.go(f"/console/jobs?{query_of(kept, **came)}", notice)


async def _all(visit: Visit, action: str, given: dict[str, str], *, dry_run: bool) -> tuple[int, int, bool]:
    matched, changed, cursor = 0, 0, ""
    for _ in range(_ROUNDS):
        asked = {"action": action, "filter": wanted(given), "dryRun": dry_run} | ({"cursor": cursor} if cursor else {})
        body = parsed_query(BulkBody, asked, "form")
        answer = await changed_in_bulk(visit.context, visit.principal, body, partial(_meant, visit, given))
        matched, changed, cursor = (matched + answer["matched"], changed + answer["changed"], answer.get("cursor", ""))
        if not cursor:
            break
    return matched, changed, bool(cursor)


ROWS, _MOST_BELOW, _DEEPEST = "50", 100, 4
# A row: a job, its depth below a listed one, whether those below it are shown, and the opened rows after a click on it.
_Line = dict[str, Any]


async def show(visit: Visit) -> Response:
    """Show a page of the list; the job whose id is in the query; or with `action` the change of all that match."""
    if visit.query("action"):
        return await _bulk_form(visit)
    asked = visit.query("id")
    if asked:
        return visit.go(f"/console/{'events' if asked.startswith('evt_') else 'jobs'}/{asked}")
    given, cursor = given_in(visit.request.query_params), visit.query("cursor")
    lines, page, faults, status = list[_Line](), JobPage(()), dict[str, str](), 200
    try:
        page = await _page(visit, given, _LONG if any(given[name] for name in _OWN) else ROWS, cursor)
    except ApiError as error:
        if not error.faults:
            raise
        faults, status = {name.partition(".")[0]: text for name, text in error.faults}, error.status
    else:
        opened = frozenset(visit.query("open").split(",")) - {""}
        lines = await _lines(visit, page.jobs, opened, 0)
    registry = visit.container.registry
    return visit.page(
        "jobs.html",
        status,
        lines=lines,
        cursor=page.cursor,
        looked_back_to_ms=page.looked_back_to_ms if len(page.jobs) < int(ROWS) else 0,
        errors=await named_errors(visit, [one.job for one in page.jobs]) if given["status"] == "failed" else [],
        given=given,
        address={name: text for name, text in given.items() if text} | ({"cursor": cursor} if cursor else {}),
        faults=faults,
        statuses=list(JobStatus),
        agents=[*(each.name for each in registry.agents), *(each.name for each in registry.handlers if each.function)],
    )


async def _lines(visit: Visit, jobs: Sequence[Snapshot], opened: frozenset[str], depth: int) -> list[_Line]:
    lines = list[_Line]()
    for snapshot, shown in zip(jobs, await rows_of(visit, jobs), strict=True):
        is_open = snapshot.job.id in opened and snapshot.below > 0 and depth < _DEEPEST
        toggled = ",".join(sorted(opened ^ {snapshot.job.id}))
        shown["below"] = snapshot.below
        lines.append({"job": shown, "depth": depth, "opened": is_open, "toggled": toggled})
        if is_open:
            query = PageQuery.model_validate({"parentJobId": snapshot.job.id, "limit": _MOST_BELOW})
            below = await page_of_jobs(visit.container, visit.principal, query)
            lines += await _lines(visit, below.jobs, opened, depth + 1)
    return lines
