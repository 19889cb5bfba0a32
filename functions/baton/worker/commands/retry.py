"""Lets an ended job run again: from where it failed, keeping its results, or from its start.

The call publishes its backup message, has the job in the slot table, and commits the new run. The backup message checks
a run that has begun as the sweep does: a failover may have made the store, or the admission, forget it. The calls that
run again: `engine.job_retry`. Must not: bring back data that is gone.
"""

from baton.engine.all_jobs.slots import SlotState
from baton.engine.commit.answers import Recorded
from baton.engine.decide import retry
from baton.engine.effects import Changes
from baton.engine.job_retry import why_not
from baton.engine.state import Job
from baton.engine.work_items import WorkItem
from baton.worker.commands.after_failover import BeginsRun
from baton.worker.commands.command_result import ATTEMPTS, CommandResult, changing, is_early, missing
from baton_events.schema import Event, Retrial


class RetryJob(BeginsRun):
    """Retries jobs, for the API or for a backup message."""

    async def __call__(self, job: Job, by: str, *, from_start: bool) -> CommandResult:
        """Let an ended job run again; one that was retried since it was read stays as it is.

        Raises PublishError, StoreError: as for a submission. JobGoneError: its data is gone.
        """
        command = Retrial(run=job.run, from_start=from_start, by=by)
        return await self._backups.commit_with_backup(
            job, command, lambda relay_id: self.commit(job.id, command, relay_id)
        )

    async def commit(self, job_id: str, command: Retrial, relay_id: str) -> CommandResult:
        """Write the new run.

        Raises UnknownJobError: there is no such job (yet). JobGoneError: its data is gone. StoreError: the result is
        not known.
        """
        for _ in range(ATTEMPTS):
            recalled = await self._archive.recall(job_id)
            if recalled is None:
                raise await missing(self._archive, job_id)
            now_ms, job = self._clock.now_ms(), recalled.loaded.job
            changes = retry(recalled.ended, command, now_ms).changes
            for request in recalled.slot_requests if changes else ():
                if request.job.id == job_id:  # else its end would not be counted: a retry has another request at once
                    await self._slot_client.release(request, relay_id)
            if changes:
                # It may have left the slot table, and sweeps go by that. With the request epoch of the end that was
                # read, so that one of a later run is never topped.
                await self._slot_client.request(job, SlotState("gone", job.finished_at_ms or 0), relay_id)
            recorded, items = await self._store.record(recalled.loaded, relay_id, changes or Changes(), now_ms)
            if recorded is Recorded.COMMITTED and changes and changes.job:
                await self._slot_client.quota.retried(recalled, changes.job)
                return CommandResult(changes.job, changed=True, items=items)
            if recorded is Recorded.COMMITTED:
                refused = "" if job.run > command.run else why_not(recalled.ended, from_start=command.from_start)
                return CommandResult(job, changed=False, items=items, refused=refused, early=is_early(job, command))
        raise changing(job_id)

    async def again(self, event: Event, command: Retrial, relay_id: str) -> tuple[WorkItem, ...]:
        """Repeat the command of a backup message; return work items to dispatch."""
        result = await self.commit(event.job_id, command, relay_id)
        if result.changed:
            await self._after_failover.publish_copy(event)  # a failover may forget this, too
        if result.changed or result.early or result.refused:
            return await self._after_failover.once_ended(event, result)
        entry, items = await self._after_failover.reconcile(result.job.id, result.items, relay_id)
        if entry is None or entry.want == "gone":  # forgotten, or known by the end of the run before
            await self._after_failover.enter(event, result.job, items, relay_id)
        return items
