"""Which jobs have data, from a read of the jobs: as old as that happens to be, and with its faults."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from baton.storage.ports.jobs import Snapshot


class ReadsKnown(ABC):
    """Part of a `Reader`."""

    @abstractmethod
    async def jobs(self, job_ids: Sequence[str]) -> dict[str, Snapshot]:
        """Many jobs."""

    async def known(self, job_ids: Sequence[str]) -> frozenset[str]:
        """Which of these jobs have data."""
        return frozenset(await self.jobs(job_ids))
