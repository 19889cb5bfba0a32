"""Takes back what a rolled-back job has left in its session: operations, the jobs that continue with them, memories.

Invariant: a rolled-back job's end takes back the jobs that are there. Each start ends with a check whether the job was
rolled back meanwhile. So one of the two finds it, and both may be repeated. A continuation may be over before the end's
message comes: its start begins with that check, too, and so does its first turn, which its session's line puts after
the end.

Source: decisions/0023-background-calls.
"""

import asyncio
from collections.abc import Iterable

from baton.engine.background_calls import call_of
from baton.engine.lifecycle import is_rolled_back
from baton.engine.state import CallRecord, Job
from baton.worker.commands.commands import Commands
from baton_events.ids import call_of_operation, chat_job_id, job_of_call, operation_id, started_by


def continuation_of(operation: Job, call_id: str) -> str:
    """Return the id of the job that continues the session of this call's operation."""
    return chat_job_id(operation.tenant, operation.session_id, operation_id(call_id), "")


class TakeBack:
    """Cancels jobs that a rolled-back one has started; each method raises PublishError and StoreError.

    What it has left in memory is forgotten as that of a deleted one.
    """

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    async def operations_of(self, job: Job, calls: Iterable[CallRecord]) -> None:
        """Take back operations of a job's calls, the jobs that continue with them, and what is remembered of it.

        Raises MemoryUnavailableError: a part may be forgotten already.
        """
        if (forget := self._commands.delete.forget_copies) is not None:
            await forget(job)
        await asyncio.gather(*(self._operation(job, call_of(job, call)) for call in calls))

    async def rolled_back_owner(self, operation_job_id: str) -> Job | None:
        """Return the job that started this operation, if it is rolled back."""
        call_id, run = started_by(operation_job_id)
        owner = await self._commands.submit.find(job_of_call(call_id))
        return owner if owner is not None and owner.run == run and is_rolled_back(owner) else None

    async def if_rolled_back(self, operation_job_id: str, started: str) -> bool:
        """Take back a job that was started, this operation or its continuation, if its owner was rolled back.

        Returns whether it was.
        """
        owner = await self.rolled_back_owner(operation_job_id)
        if owner:
            await self._cancel(started, owner)
        return owner is not None

    async def before_it_continues(self, job: Job, operation: str) -> bool:
        """Take back a job that is about to tell this operation's outcome; return whether its owner was rolled back."""
        return await self.if_rolled_back(job_of_call(call_of_operation(operation)), job.id)

    async def _operation(self, job: Job, call_id: str) -> None:
        if operation := await self._cancel(job_of_call(call_id), job):
            await self._cancel(continuation_of(operation, call_id), job)

    async def _cancel(self, job_id: str, owner: Job) -> Job | None:
        job = await self._commands.submit.find(job_id)
        if job is not None and not job.ended:
            await self._commands.cancel(job, f"the rollback of job {owner.id}", rolls_back=True)
        return job
