"""Deletes the data of an ended job, and of the jobs below it; a tombstone stays, so that nothing brings it back.

The call publishes its backup message, has the admission release the job's slot, takes the job off the lists, and
removes all keys at once; then its objects go. The backup message removes what a failover brought back, and objects
that are still there, once more an hour later. Must not: touch a job that runs, or ran again since; or delete an object
that a record may name.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from baton.engine.commit.answers import Removed
from baton.engine.state import Job
from baton.engine.work_items import WorkItem
from baton.store.records.objects import job_place
from baton.store.redis.archive import Archive
from baton.worker.admission.slot_client import SlotClient
from baton.worker.commands.after_failover import AfterFailover
from baton.worker.commands.backup import Backups
from baton.worker.commands.command_result import ATTEMPTS, CommandResult, changing, is_early, missing
from baton_events.errors import JobGoneError, ObjectStoreError
from baton_events.ids import is_child, root_of
from baton_events.schema import Event, Removal

if TYPE_CHECKING:
    from baton.store.objects import Objects

_log = logging.getLogger("baton.commands")
# How long a call waits for the objects to be gone; and after which time no attempt of the job writes any.
_WAITS_SECONDS, _LATE_MS = 10, 3_600_000


class DeleteJob:
    """Deletes jobs, for the API or for a backup message.

    `objects`: large payloads; None: there are none. `forget_copies`: of what a job has left in memory; None: nothing.
    `forget_files`: of a session that no other job makes known; None: there are none.
    """

    def __init__(
        self, archive: Archive, slot_client: SlotClient, backups: Backups, after_failover: AfterFailover
    ) -> None:
        self.objects: Objects | None = None
        self.forget_copies: Callable[[Job], Awaitable[None]] | None = None
        self.forget_files: Callable[[Job], Awaitable[None]] | None = None
        self._archive, self._slot_client, self._backups = archive, slot_client, backups
        self._after_failover = after_failover

    async def __call__(self, job: Job) -> CommandResult:
        """Delete the data of an ended job.

        Raises PublishError, StoreError: as for a submission. JobGoneError: its data is gone, as it should be.
        """
        command = Removal(run=job.run)
        result = await self._backups.commit_with_backup(
            job, command, lambda relay_id: self.commit(job.id, command, relay_id)
        )
        if self.objects is not None and result.changed:
            try:
                async with asyncio.timeout(_WAITS_SECONDS):
                    result = replace(result, objects=await self.objects.delete_below(job_place(job.tenant, job.id)))
            except (TimeoutError, ObjectStoreError) as error:
                _log.warning("the objects of job %s are deleted by its backup message: %r", job.id, error)
        return result

    async def commit(self, job_id: str, command: Removal, relay_id: str) -> CommandResult:
        """Remove the data of a job and of those below it.

        Raises UnknownJobError: there is no such job (yet). JobGoneError: its data is gone, as it should be.
        StoreError: the result is not known.
        """
        job: Job | None = None
        for _ in range(ATTEMPTS):
            recalled = await self._archive.recall(job_id, partly=True)
            if recalled is None:
                error = await missing(self._archive, job_id)
                if job is not None and isinstance(error, JobGoneError):
                    return CommandResult(job, changed=True)  # by this call: its request was sent twice
                raise error
            job = recalled.loaded.job
            refused = _why_not(job, command, has_workspace=recalled.has_workspace)
            if refused:
                return CommandResult(job, changed=False, refused=refused, early=is_early(job, command))
            if not all([await self._slot_client.release(request, relay_id) for request in recalled.slot_requests]):
                raise changing(job_id)
            await self._slot_client.forget(job)  # first: else its texts would be kept, and never found
            for forget in filter(None, (self.forget_copies, self.forget_files)):
                await forget(job)
            if await self._archive.remove(recalled) is Removed.REMOVED:
                await self._slot_client.quota.removed(recalled)
                return CommandResult(job, changed=True)
        raise changing(job_id)

    async def again(self, event: Event, command: Removal, relay_id: str) -> tuple[WorkItem, ...]:
        """Repeat the command of a backup message; return work items to dispatch."""
        try:
            result = await self.commit(event.job_id, command, relay_id)
        except JobGoneError:
            await self._delete_objects(event)
            raise
        if result.changed:
            await self._delete_objects(event)
        return await self._after_failover.once_ended(event, result)

    async def _delete_objects(self, event: Event) -> None:
        """Delete the objects of a job that is gone, and once more when no attempt of it can write one any more.

        Raises ObjectStoreError: the message has to come again.
        """
        stone = None if self.objects is None else await self._archive.tombstone(event.job_id)
        if self.objects is not None and stone is not None:
            await self.objects.delete_below(job_place(stone.tenant, event.job_id))
            await self._after_failover.publish_later(event, _LATE_MS)


def _why_not(job: Job, command: Removal, *, has_workspace: bool) -> str:
    if is_child(job.id):
        return f"job {job.id!r} belongs to job {root_of(job.id)!r}: delete that one"
    if not job.ended:
        return f"job {job.id!r} has not ended: cancel it first"
    if has_workspace:
        return f"the workspace of job {job.id!r} is still to be released: delete the job after that"
    return "" if job.run == command.run else f"job {job.id!r} was retried meanwhile, and has ended again"
