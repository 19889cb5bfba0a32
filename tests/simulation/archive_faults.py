"""The archive, as functions see it: the named fake behind the wire of the store, whose tags it shares."""

from typing import TYPE_CHECKING

from events.ports import Recalled, Removed, Tombstone
from tests.fakes import FakeArchive
from tests.simulation.store_faults import SimStore

if TYPE_CHECKING:
    from tests.simulation.world import World


class SimArchive:
    """`Archive` behind a wire."""

    def __init__(self, world: "World", store: SimStore, fake: FakeArchive) -> None:
        self._world = world
        self._store = store
        self._fake = fake

    async def recall(self, job_id: str) -> Recalled | None:
        """A job, as one script reads it: never as it was before."""
        return await self._store.ask("recall", job_id, None, lambda: self._fake.recall(job_id))

    async def remove(self, recalled: Recalled, now_ms: int) -> Removed:
        """Remove a tree."""
        job_id = recalled.loaded.job.id
        return await self._store.ask("remove", job_id, None, lambda: self._fake.remove(recalled, now_ms))

    async def tombstone(self, job_id: str) -> Tombstone | None:
        """What is left of a tree."""
        return await self._store.ask("tombstone", job_id, None, lambda: self._fake.tombstone(job_id))
