"""How many events are kept for jobs of a tenant that no job waits for yet, for the quota."""

from typing import Protocol


class KeptEvents(Protocol):
    """A count for each tenant, beside the jobs: no step of a job asks for it, and a count that is off harms no job.

    It is given back by looking: what a job has taken, or lost with its data, is noticed by `recount`. It forgets itself
    when nothing was added for as long as ended jobs are kept.
    """

    async def count(self, tenant: str) -> int:
        """How many are counted; more than there are, where some were taken since."""
        ...

    async def add(self, tenant: str, job_id: str) -> None:
        """Count one more of a job."""
        ...

    async def recount(self, tenant: str) -> int:
        """Look at some of the jobs, and give back what they keep no more. Returns how many are counted then."""
        ...
