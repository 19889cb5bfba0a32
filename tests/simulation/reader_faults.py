"""The reader, as functions see it: the named fake behind a wire that fails; what it shows may be a moment old."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from baton.engine.state import CallRecord, Job
from baton.storage.ports.jobs import Snapshot, StoredParts
from baton_events.errors import StoreError
from tests.fakes import FakeReader
from tests.simulation.reads_known import ReadsKnown
from tests.simulation.stored import shown
from tests.simulation.wire import at_once

if TYPE_CHECKING:
    from tests.simulation.world import World


class SimReader(ReadsKnown):
    """`Reader` behind a wire."""

    def __init__(self, world: "World", fake: FakeReader) -> None:
        self._world = world
        self._fake = fake

    async def job(self, job_id: str) -> Snapshot | None:
        """Everything about a job."""
        return await self._world.wire.request(
            "reader.job", "store", "store", lambda: at_once(self._shown(job_id).job(job_id)), StoreError
        )

    async def jobs(self, job_ids: Sequence[str]) -> dict[str, Snapshot]:
        """Many jobs: each read is as old as it happens to be."""

        def read() -> dict[str, Snapshot]:
            return {name: one for name in job_ids if (one := at_once(self._shown(name).job(name))) is not None}

        return await self._world.wire.request("reader.jobs", "store", "store", read, StoreError)

    async def parts(self, job_id: str, after: int, known: Job | None = None) -> StoredParts:
        """The job's parts."""
        return await self._world.wire.request(
            "reader.parts", "store", "store", lambda: at_once(self._shown(job_id).parts(job_id, after)), StoreError
        )

    async def result(self, job_id: str, call_id: str) -> tuple[Job | None, CallRecord | None, dict[str, Any]]:
        """One result."""
        return await self._world.wire.request(
            "reader.result", "store", "store", lambda: at_once(self._shown(job_id).result(job_id, call_id)), StoreError
        )

    async def parts_after(self, job: Job, after: int) -> tuple[str, ...]:
        """The job's parts, alone."""
        return await self._world.wire.request(
            "reader.parts_after",
            "store",
            "store",
            lambda: at_once(self._shown(job.id).parts_after(job, after)),
            StoreError,
        )

    async def calls(self, job_ids: Sequence[str]) -> dict[str, tuple[CallRecord, ...]]:
        """The tool calls of many jobs."""
        return await self._fake.calls(job_ids)

    async def transcript(self, job_id: str) -> tuple[dict[str, Any], ...]:
        """The job's transcript."""
        return await self._world.wire.request(
            "reader.transcript", "store", "store", lambda: at_once(self._shown(job_id).transcript(job_id)), StoreError
        )

    def _shown(self, job_id: str) -> FakeReader:
        return FakeReader(shown(self._world, job_id, "reader"), self._world.admission)

    async def ping(self) -> None:
        """Whether the store answers."""
        await self._fake.ping()

    async def close(self) -> None:
        """Nothing is open."""
