"""Tells those who follow a job in this process that something is being done for it here, so that they look at once.

Invariant: a notice says nothing of what has changed; what followers show is read from the store. A notice that comes
while nobody waits for it is kept for the next wait.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class JobNotices:
    """The notices of one process."""

    def __init__(self) -> None:
        self._followers: dict[str, set[asyncio.Event]] = {}

    def notify(self, job_id: str) -> None:
        """Wake whoever follows this job."""
        for noticed in self._followers.get(job_id, ()):
            noticed.set()

    @contextmanager
    def around(self, job_id: str) -> Iterator[None]:
        """Wake them before something is done for the job, so that they look often from now on, and after it."""
        self.notify(job_id)
        try:
            yield
        finally:
            self.notify(job_id)

    @contextmanager
    def of(self, job_id: str) -> Iterator[asyncio.Event]:
        """An event that each notice about this job sets, for the time of the block."""
        noticed = asyncio.Event()
        followers = self._followers.setdefault(job_id, set())
        followers.add(noticed)
        try:
            yield noticed
        finally:
            followers.discard(noticed)
            if not followers:
                self._followers.pop(job_id, None)


async def noticed_within(noticed: asyncio.Event, seconds: float) -> bool:
    """Whether a notice has come, or comes within this time; it is taken."""
    try:
        async with asyncio.timeout(seconds):
            await noticed.wait()
    except TimeoutError:
        return False
    noticed.clear()
    return True
