"""Pages of the deployment: the admission of jobs, its tools, and the audit log.

The admission's page lists the jobs that hold a slot and those in line, and stops and starts the admission.
"""

import re
from collections import Counter
from typing import Any

from starlette.responses import Response

from baton.queue.ports import QueueRecords
from baton.server.api.admin.control import tool_counters, worker_view
from baton.server.api.jobs.context import Context
from baton.server.api.problem import ApiError
from baton.server.console.admin.chart import history_chart
from baton.server.console.gate import Visit
from baton.store.ports.access import AuditLog
from baton.store.ports.all_jobs import AdmissionControl
from baton.worker.admission.control import Worker
from baton_events.errors import PublishError

ROWS = 100
_CURSOR = re.compile(r"\d{1,15}-\d{1,15}")


class AuditPage:
    """Shows the audit log."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log

    async def show(self, visit: Visit) -> Response:
        """Show a page of entries."""
        cursor = visit.query("cursor")
        if cursor and not _CURSOR.fullmatch(cursor):
            raise ApiError(422, f"cursor {cursor!r} is not one of this list")
        rows = await self._log.page(cursor, ROWS + 1)
        more = rows[ROWS - 1][0] if len(rows) > ROWS else ""
        return visit.page("audit.html", entries=[entry for _, entry in rows[:ROWS]], cursor=more)


async def show_tools(context: Context, visit: Visit) -> Response:
    """Show every registered tool, and removed ones that were used."""
    return visit.page("tools.html", tools=await tool_counters(context))


HOME = "/console/worker"


class WorkerPage:
    """Shows and controls the admission."""

    def __init__(self, admission_control: AdmissionControl, worker: Worker, records: QueueRecords) -> None:
        self._admission_control = admission_control
        self._worker = worker
        self._records = records

    async def show(self, visit: Visit) -> Response:
        """Show the admission's state, in all and for each tenant."""
        state, live = await self._worker.state(), await self._admission_control.live()
        slots = Counter(entry.tenant for entry in live.values() if entry.slot)
        line = Counter(entry.tenant for entry in live.values() if entry.want == "slot" and not entry.slot)
        idle = Counter(entry.tenant for entry in live.values() if entry.want != "slot" and not entry.slot)
        tenants = [(name, slots[name], line[name], idle[name]) for name in sorted({*slots, *line, *idle})]
        samples = await self._admission_control.samples(visit.now_ms)
        shown: dict[str, Any] = {"state": worker_view(state), "tenants": tenants, "dead": await self._dead()}
        return visit.page("worker.html", **shown, samples=samples, chart_of_hours=history_chart(samples, visit.now_ms))

    async def _dead(self) -> str:
        """Return the number of dead letters; the page works also while the queue does not answer."""
        try:
            page = await self._records.dead_letters()
        except PublishError:
            return "the queue does not answer"
        return f"{len(page.letters)}{' or more' if page.cursor else ''}"

    async def start(self, visit: Visit) -> Response:
        """Start the admission: jobs get slots from now on."""
        await self._worker.start()
        return visit.go(HOME, "Jobs are admitted again.")

    async def stop(self, visit: Visit) -> Response:
        """Stop the admission: no job gets a slot from now on."""
        await self._worker.stop()
        return visit.go(HOME, "No job gets a slot from now on; jobs that hold one continue.")
