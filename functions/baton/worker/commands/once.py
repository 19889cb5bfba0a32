"""One job for a key: while a job with it lives, and for some time after its end, that job answers every other start.

A key has turns, and a turn's job has an id that follows from key and turn. So whoever starts it again, also after a
crash or at the same time, starts the same job. Invariant: the next turn begins only once the last one's job is over.
Must not: start or publish anything.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct, structs
from msgspec.structs import replace

from baton.engine.state import Job
from baton.sdk.records.transcript import FOREVER_MS
from baton.store.redis.app_events import AppEvents
from baton.worker.commands.submit import SubmitJob
from baton_events.app_event import parse_app_event
from baton_events.ids import event_job_id, once_event_id, once_job_id, once_name
from baton_events.timestamps import milliseconds
from baton_events.values.durations import LONGEST_SECONDS, seconds_of

ONCE_LIMIT_CHARS, ONCE_SECONDS = 200, 86_400


class OnceFor(Struct, frozen=True):
    """A key, and for how long it counts after the end of its job."""

    key: str
    seconds: Any = ONCE_SECONDS

    def __post_init__(self) -> None:
        """Refuse a key that is none, and a time that is none."""
        if not isinstance(self.key, str) or not 1 <= len(self.key) <= ONCE_LIMIT_CHARS:
            raise ValueError(f"once_for={self.key!r}: a text of 1 to {ONCE_LIMIT_CHARS} characters")
        structs.force_setattr(self, "seconds", seconds_of(self.seconds, "once_for_seconds"))

    def is_held_by(self, job: Job, now_ms: int) -> bool:
        """Return whether the job answers another start of the key."""
        return not job.ended or now_ms < (job.finished_at_ms or now_ms) + self.seconds * 1000


async def holder_of(records: AppEvents, submit: SubmitJob, job: Job, once: OnceFor, now_ms: int) -> tuple[Job, bool]:
    """Return the job that has the key, and whether it is there; else it is `job`, under its own id from now on.

    Raises StoreError: it is not known.
    """
    name = once_name("job", job.tenant, "", once.key)
    turn = await records.newest(name)
    while (found := await _job_of(submit, once_job_id(name, turn))) is not None:
        if isinstance(found, Job) and once.is_held_by(found, now_ms):
            return found, True
        turn += 1
    if turn:  # without a number it is the first
        until_ms = min(job.deadline_ms, FOREVER_MS) - now_ms + once.seconds * 1000
        await records.newest(name, turn, round(min(until_ms, LONGEST_SECONDS * 1000)))
    job_id, own = once_job_id(name, turn), f"session_{job.id.removeprefix('job_')}"
    session_id = f"session_{job_id.removeprefix('job_')}" if job.session_id == own else job.session_id
    return replace(job, id=job_id, session_id=session_id), False


async def event_of(
    records: AppEvents, submit: SubmitJob, about: tuple[str, str], handlers: Sequence[str], once: OnceFor, now_ms: int
) -> str:
    """Return the id of the event that has the key; `about`: its tenant and name. Raises StoreError."""
    name = once_name("event", *about, once.key)
    turn = await records.newest(name)
    while await _is_over(records, submit, once_event_id(name, turn), handlers, once, now_ms):
        turn += 1
    if turn:
        await records.newest(name, turn, round(once.seconds * 1000))
    return once_event_id(name, turn)


async def _is_over(
    records: AppEvents, submit: SubmitJob, event_id: str, handlers: Iterable[str], once: OnceFor, now_ms: int
) -> bool:
    """Return whether an event was, and counts no more: each of its jobs has ended, long enough ago."""
    record = await records.find(event_id)
    if record is not None:
        created_ms = milliseconds(parse_app_event(record.event.encode()).created_at)
        if now_ms < created_ms + once.seconds * 1000:  # a handler's job may not be there yet
            return False
    names = {*handlers, *(record.handlers if record else ())}
    jobs = [await _job_of(submit, event_job_id(event_id, handler)) for handler in sorted(names)]
    if any(isinstance(job, Job) and once.is_held_by(job, now_ms) for job in jobs):
        return False
    return record is not None or any(job is not None for job in jobs)


async def _job_of(submit: SubmitJob, job_id: str) -> Job | bool | None:
    """Return a job; True: its data is gone; None: it never was."""
    return await submit.find(job_id) or (True if await submit.is_gone(job_id) else None)
