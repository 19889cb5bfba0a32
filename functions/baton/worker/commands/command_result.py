"""The result of a command about a job, and the errors of one that cannot be carried out.

Invariant: a command names the run of the job that it is about. So one that comes twice is carried out once, and never
on a later run.
"""

from msgspec import Struct

from baton.engine.state import Job
from baton.engine.work_items import WorkItem
from baton.store.redis.archive import Archive
from baton_events.errors import JobGoneError, StoreError, UnknownJobError
from baton_events.schema import Removal, Retrial

# The state may change between reading a job and writing the command's changes: then it is decided anew.
ATTEMPTS = 20


class CommandResult(Struct, frozen=True):
    """The job as it is now, whether the command changed it, and work items to dispatch.

    `refused`: why the job does not allow it, and the way out. `early`: a failover forgot the command's subject: it must
    be published again. `objects`: how many a deletion has deleted in the object store.
    """

    job: Job
    changed: bool
    items: tuple[WorkItem, ...] = ()
    refused: str = ""
    early: bool = False
    objects: int = 0


async def missing(archive: Archive, job_id: str) -> UnknownJobError | JobGoneError:
    if await archive.tombstone(job_id):
        return JobGoneError(job_id)
    return UnknownJobError(f"there is no job {job_id!r} (yet)")


def changing(job_id: str) -> StoreError:
    """Return the error of a job that changes between two reads."""
    return StoreError(f"job {job_id!r} changes faster than it can be read: send the request again")


def is_early(job: Job, command: Retrial | Removal) -> bool:
    """Return whether a failover forgot the run, or the end, that a command is about."""
    return job.run < command.run or (job.run == command.run and not job.ended)
