"""Cancels a job; a step that still runs finds its work item gone, and its result is dropped.

Code that has begun cleans up first; any other job, and one that is cancelled by force, ends at once.

The call publishes its backup message, commits, and dispatches what follows: the job gives its slot back, and a job
above it goes on. The backup message commits the same again, which changes nothing unless a failover forgot it. The end
of a job: `engine.lifecycle.cancelled`; of the jobs below it: `engine.commit.claiming.without_children`.
"""

from baton.engine.commit.answers import Recorded
from baton.engine.decide import cancel
from baton.engine.effects import Changes
from baton.engine.state import Job
from baton.engine.work_items import WorkItem
from baton.observability.tracing import job_ended
from baton.sdk.clock import Clock
from baton.store.redis.archive import Archive
from baton.store.redis.store import Store
from baton.worker.commands.backup import YOUNG_MS, Backups
from baton.worker.commands.command_result import ATTEMPTS, CommandResult, missing
from baton_events.errors import StoreError
from baton_events.schema import Cancellation, Event


class CancelJob:
    """Cancels jobs, for the API or for a backup message."""

    def __init__(self, store: Store, archive: Archive, backups: Backups, clock: Clock) -> None:
        self._store, self._archive, self._backups, self._clock = store, archive, backups, clock

    async def __call__(
        self, job: Job, by: str, *, rolls_back: bool = False, force: bool | None = None
    ) -> CommandResult:
        """Cancel a job; one that has ended stays as it is. `rolls_back`: its session forgets it, too.

        `force`: at once, also where code cleans up; None: where it does so already, this is the second cancel.

        Raises PublishError, StoreError: as for a submission.
        """
        forces = job.cancelling is not None if force is None else force
        command = Cancellation(by=by, run=job.run, rolls_back=rolls_back, force=forces)
        backup = self._backups.of(job, command)
        result = await backup.committed(lambda relay_id: self.commit(job.id, command, relay_id))
        idle = not result.changed and not result.items
        if idle and backup.began_ms - (result.job.finished_at_ms or 0) > YOUNG_MS:
            await backup.not_needed()
        await backup.publish_if_late()
        await backup.dispatch(result.job, result.items)
        return result

    async def commit(self, job_id: str, command: Cancellation, relay_id: str) -> CommandResult:
        """Write the end of a job, unless it has ended or runs again by now.

        Raises UnknownJobError: there is no such job (yet). JobGoneError: its data is gone. StoreError: the result is
        not known: a repeated write may have done it the first time.
        """
        changed = False
        for _ in range(ATTEMPTS):
            loaded = await self._store.load(job_id)
            if loaded is None:
                break
            now_ms = self._clock.now_ms()
            changes = cancel(loaded.job, command, now_ms).changes
            recorded, items = await self._store.record(loaded, relay_id, changes or Changes(), now_ms)
            if recorded is Recorded.COMMITTED:
                job = changes.job if changes and changes.job else loaded.job
                if changes is not None and changes.ends:
                    job_ended(job)
                return CommandResult(job, changes is not None, items)
            changed = changed or recorded is Recorded.CHANGED
        if changed:
            raise StoreError(f"job {job_id!r} changes, and a read does not show it as it is: send the request again")
        raise await missing(self._archive, job_id)

    async def again(self, event: Event, command: Cancellation, relay_id: str) -> tuple[WorkItem, ...]:
        """Repeat the command of a backup message; return work items to dispatch."""
        return (await self.commit(event.job_id, command, relay_id)).items
