"""The admission of jobs: who holds a slot, who is in line; stopping it and starting it."""

from collections import Counter

from starlette.responses import Response

from baton.admission.worker import Worker
from baton.api.worker import worker_view
from baton.console.gate import Visit
from baton.ports import AdmissionControl, QueueRecords
from baton_events.errors import PublishError

HOME = "/console/worker"


class WorkerPage:
    """Shows the admission, and steers it."""

    def __init__(self, admission_control: AdmissionControl, worker: Worker, records: QueueRecords) -> None:
        self._admission_control = admission_control
        self._worker = worker
        self._records = records

    async def show(self, visit: Visit) -> Response:
        """How it stands, in all and for each tenant."""
        state, live = await self._worker.state(), await self._admission_control.live()
        slots = Counter(entry.tenant for entry in live.values() if entry.slot)
        line = Counter(entry.tenant for entry in live.values() if entry.want == "slot" and not entry.slot)
        idle = Counter(entry.tenant for entry in live.values() if entry.want != "slot" and not entry.slot)
        tenants = [(name, slots[name], line[name], idle[name]) for name in sorted({*slots, *line, *idle})]
        return visit.page("worker.html", state=worker_view(state), tenants=tenants, dead=await self._dead())

    async def _dead(self) -> str:
        """How many dead letters there are; the admission is steered also while the queue does not answer."""
        try:
            page = await self._records.dead_letters()
        except PublishError:
            return "the queue does not answer"
        return f"{len(page.letters)}{' or more' if page.cursor else ''}"

    async def start(self, visit: Visit) -> Response:
        """Jobs get slots from now on."""
        await self._worker.start()
        return visit.go(HOME, "Jobs are admitted again.")

    async def stop(self, visit: Visit) -> Response:
        """Nobody gets a slot from now on."""
        await self._worker.stop()
        return visit.go(HOME, "No job gets a slot from now on; jobs that hold one continue.")
