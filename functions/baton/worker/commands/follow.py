"""Following a job: the wake-ups of its followers in this process, and the pace of their reads of the store.

Each read is billed. Reads get rarer the longer nothing comes, and much rarer once the job is known only to wait. A job
that goes on in the same process wakes its followers at once; the bounds are for one that goes on in another process.
Invariant: a notice contains no change itself, and one that comes while no follower waits is kept for the next wait.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from baton.engine.transitions import JobStatus
from baton.engine.waits import status_and_wait
from baton.sdk.records.transcript import FOREVER_MS
from baton.store.records.jobs import Snapshot


class Followers:
    """The open streams of one process. `most`: of one key; 0: any number."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._open: Counter[str] = Counter()

    def is_full(self, key_id: str) -> bool:
        """Return whether a key has as many open streams as it may have."""
        return bool(self.most) and self._open[key_id] >= self.most

    @contextmanager
    def following(self, key_id: str) -> Iterator[None]:
        """Count one more stream for the time of the block."""
        self._open[key_id] += 1
        try:
            yield
        finally:
            self._open[key_id] -= 1
            if not self._open[key_id]:
                del self._open[key_id]


class JobNotices:
    def __init__(self) -> None:
        self._followers: dict[str, set[asyncio.Event]] = {}

    def notify(self, job_id: str) -> None:
        for noticed in self._followers.get(job_id, ()):
            noticed.set()

    @contextmanager
    def around(self, job_id: str) -> Iterator[None]:
        """Wake followers before work on the job, so that they read often from now on, and after it."""
        self.notify(job_id)
        try:
            yield
        finally:
            self.notify(job_id)

    @contextmanager
    def of(self, *job_ids: str) -> Iterator[asyncio.Event]:
        """Yield an event that each notice about one of these jobs sets, for the time of the block."""
        noticed = asyncio.Event()
        for job_id in job_ids:
            self._followers.setdefault(job_id, set()).add(noticed)
        try:
            yield noticed
        finally:
            for job_id in job_ids:
                self._followers[job_id].discard(noticed)
                if not self._followers[job_id]:
                    del self._followers[job_id]


async def noticed_within(noticed: asyncio.Event, seconds: float) -> bool:
    """Return whether a notice has come, or comes within this time; it is taken."""
    try:
        async with asyncio.timeout(seconds):
            await noticed.wait()
    except TimeoutError:
        return False
    noticed.clear()
    return True


FIRST_PAUSE_SECONDS, WORKING_PAUSE_SECONDS = 0.03, 1.0
# The pause for a job at work, after the first reads: a fifth of a second, then a tenth of the silence. A model's first
# words are shown this soon after they came, where another process calls the model.
_SOON_SECONDS, _SHARE_AT_WORK = 0.2, 0.1
# The pause for a job that waits: a third of the silence so far; with one command a read, below one command in 15 s.
IDLE_PAUSE_SECONDS, _SHARE_OF_SILENCE = 24.0, 1 / 3
# The silence after which a read checks whether the job waits; for one at work, this is repeated.
_CHECKED_AFTER_SECONDS, _CHECKED_AGAIN_SECONDS = 3.0, 10.0
# The pause between checks, while it waits, for changes without a part (the data is gone, a failover forgot parts).
_WHOLE_READ_SECONDS = 300.0
_GROWTH = 1.3
# Where open streams cost, none is held for a longer wait than this.
_SHORT_MS = 10_000
# Where an answer ends with the parts so far (Lambda): when its reader comes back, as the `retry:` of its events.
RETRY_MS, _RETRY_AT_WORK_MS, RETRY_WAITING_MS = 500, 3_000, 30_000


class ReadPace:
    """The times of a follower's reads. `waits`: its job is known only to wait."""

    def __init__(self) -> None:
        self.waits = False
        self.arrived()

    def arrived(self) -> None:
        """Read often again: a part came, or is about to."""
        self._silent_seconds = self._since_whole_seconds = 0.0
        self._until_read_seconds = self._pause_seconds = FIRST_PAUSE_SECONDS
        self._check_at_seconds = _CHECKED_AFTER_SECONDS
        self.waits = False

    def checks_at_once(self) -> None:
        """Let the next read learn whether the job waits."""
        self._check_at_seconds = 0.0

    def passed(self, seconds: float) -> None:
        """Note that this much time has passed without a part."""
        self._silent_seconds += seconds
        self._since_whole_seconds += seconds
        self._until_read_seconds -= seconds

    def learned(self, status: JobStatus | None) -> None:
        """Note the job's status; None: there is no such job. A new job may only wait for a cold start."""
        is_old = self._silent_seconds >= _CHECKED_AGAIN_SECONDS
        self.waits = status is JobStatus.WAITING or (status is JobStatus.PENDING and is_old)
        self._check_at_seconds = self._silent_seconds + (_WHOLE_READ_SECONDS if self.waits else _CHECKED_AGAIN_SECONDS)

    def read_again(self) -> None:
        """Set the time of the next read, as one is made now."""
        if self.waits:
            self._pause_seconds = min(IDLE_PAUSE_SECONDS, max(1.0, self._silent_seconds * _SHARE_OF_SILENCE))
        else:
            most_seconds = min(WORKING_PAUSE_SECONDS, max(_SOON_SECONDS, self._silent_seconds * _SHARE_AT_WORK))
            self._pause_seconds = min(most_seconds, self._pause_seconds * _GROWTH)
        self._until_read_seconds = self._pause_seconds

    def reads_whole(self) -> None:
        """Note that the present read includes the job."""
        self._since_whole_seconds = 0.0

    @property
    def silent_seconds(self) -> float:
        """The time since the last part."""
        return self._silent_seconds

    @property
    def until_read_seconds(self) -> float:
        """The time until the next read; 0: it is due."""
        return max(0.0, self._until_read_seconds)

    @property
    def checks_whether_it_waits(self) -> bool:
        """Whether this read must include the job's status."""
        return self._silent_seconds >= self._check_at_seconds

    @property
    def needs_whole_read(self) -> bool:
        """Whether parts alone are not enough for this read."""
        return not self.waits or self._since_whole_seconds >= _WHOLE_READ_SECONDS


def status_of(snapshot: Snapshot, now_ms: int) -> JobStatus:
    """Return a job's status; while it is pending or waits, no work is in progress, and nothing is due but a slot."""
    job, items = snapshot.job, snapshot.items
    status, _ = status_and_wait(job, items, snapshot.slot_state, now_ms, stopped=snapshot.stopped)
    return status


def waits_for_long(snapshot: Snapshot, now_ms: int) -> bool:
    """Return whether a job waits, and for more than a short pause: before another attempt, for example."""
    due_ms = min((item.not_before_ms for item in snapshot.items if item.not_before_ms > now_ms), default=FOREVER_MS)
    return status_of(snapshot, now_ms) is JobStatus.WAITING and due_ms - now_ms > _SHORT_MS


def come_back_ms(snapshot: Snapshot, now_ms: int) -> int:
    """Return when a reader with every part so far must come back: later, the longer nothing has changed."""
    silent_ms = max(0, now_ms - (snapshot.usage.updated_ms or snapshot.job.created_at_ms))
    waits = status_of(snapshot, now_ms) in (JobStatus.WAITING, JobStatus.PENDING)
    most_ms = RETRY_WAITING_MS if waits else _RETRY_AT_WORK_MS
    return min(most_ms, max(RETRY_MS, silent_ms // 3))
