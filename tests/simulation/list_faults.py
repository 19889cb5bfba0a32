"""The list of jobs, as functions see it: the named fake, which now and then takes no row.

Its faults are rolled apart from those of other calls: whether a list takes rows must change nothing else of a world.
"""

from typing import TYPE_CHECKING

from baton.engine.all_jobs.job_list import Row
from baton_events.errors import StoreError
from tests.fakes import FakeAdmission, FakeListing
from tests.simulation.invocation import CURRENT

if TYPE_CHECKING:
    from tests.simulation.world import World


class SimListing(FakeListing):
    """`Listing` that may be full."""

    def __init__(self, world: "World", admission: FakeAdmission) -> None:
        super().__init__(admission)
        self._world = world

    async def add(self, row: Row) -> None:
        """Write a job's rows, or fail: then they are missing until the job's next admission update."""
        who = CURRENT.get()
        if self._world.faults.strikes("list-gap", f"{who.name}:{row.job_id}"):
            self._world.list_gaps.add(row.job_id)
            raise StoreError("the list is full")
        await super().add(row)
        self._world.memory.listed[row.job_id] = self._world.loop.seconds
        self._world.memory.tabled()
        job = self._world.tree(row.job_id).jobs.get(row.job_id)
        if row.status or job is None or not job.ended:  # a late row of a job at work does not bring its end
            self._world.list_gaps.discard(row.job_id)
