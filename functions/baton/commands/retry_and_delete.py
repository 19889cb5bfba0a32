"""Commands about ended jobs: a retry, or the deletion of their data; and what became of a command.

Invariant: a command names the run of the job that it is about, so one that is given twice is carried out once, and
never on a later run. Must not: bring back what is gone.
"""

from msgspec import Struct

from baton.admission.slot_client import SlotClient
from baton.clock import Clock
from baton.engine.all_jobs.slots import SlotState
from baton.engine.commit.answers import Recorded, Removed, Untold
from baton.engine.decide import retry
from baton.engine.effects import Changes
from baton.engine.retry import why_not
from baton.engine.state import Job
from baton.engine.step_results import Retried
from baton.engine.work_items import WorkItem
from baton.storage.ports.jobs import Archive, Store
from baton.storage.usage import record
from baton_events.errors import JobGoneError, StoreError, UnknownJobError
from baton_events.ids import is_child, root_of
from baton_events.schema import Removal, Retrial


class Told(Struct, frozen=True):
    """The job as it is now, whether this changed it, and work items to dispatch.

    `refused`: why the job does not allow it, and the way out. `early`: a failover forgot what the fact is about: it is
    to be told again.
    """

    job: Job
    changed: bool
    items: tuple[WorkItem, ...] = ()
    refused: str = ""
    early: bool = False


# The state may change between reading a job and writing what a fact makes of it: then it is decided anew.
_ATTEMPTS = 20


class EndedFacts:
    """Takes in facts about ended jobs, from the API or from a backup message."""

    def __init__(self, archive: Archive, store: Store, asking: SlotClient, clock: Clock) -> None:
        self._archive = archive
        self._store = store
        self._slot_client = asking
        self._clock = clock

    async def retried(self, job_id: str, fact: Retrial, relay_id: str) -> Told:
        """Somebody wants a job to run again.

        Raises:
            UnknownJobError: there is no such job (yet). JobGoneError: its data is gone.
            StoreError: what became of it is not known.
        """
        step_result = Retried(fact.run, fact.from_start, fact.by)
        for _ in range(_ATTEMPTS):
            recalled = await self._archive.recall(job_id)
            if recalled is None:
                raise await self.missing(job_id)
            now_ms, job = self._clock.now_ms(), recalled.loaded.job
            changes = retry(recalled.ended, step_result, now_ms).changes
            for untold in recalled.slot_requests if changes else ():
                if untold.job.id == job_id:  # else its end would not be counted: a retry has another word at once
                    await self._say_gone(untold, relay_id)
            if changes:
                await self._take_place(job, relay_id)
            recorded, items = await record(self._store, recalled.loaded, relay_id, changes or Changes(), now_ms)
            if recorded is Recorded.COMMITTED and changes and changes.job:
                await self._slot_client.quota.retried(recalled, changes.job)
                return Told(changes.job, changed=True, items=items)
            if recorded is Recorded.COMMITTED:
                refused = "" if job.run > fact.run else why_not(recalled.ended, step_result)
                return Told(job, changed=False, items=items, refused=refused, early=_is_early(job, fact))
        raise _changing(job_id)

    async def removed(self, job_id: str, fact: Removal, relay_id: str) -> Told:
        """Somebody deletes the data of a job and of those below it.

        Raises:
            UnknownJobError: there is no such job (yet). JobGoneError: its data is gone, as it should be.
            StoreError: what became of it is not known.
        """
        for _ in range(_ATTEMPTS):
            recalled = await self._archive.recall(job_id)
            if recalled is None:
                raise await self.missing(job_id)
            job = recalled.loaded.job
            refused = _why_not_removed(job, fact)
            if refused:
                return Told(job, changed=False, refused=refused, early=_is_early(job, fact))
            if not all([await self._say_gone(untold, relay_id) for untold in recalled.slot_requests]):
                raise _changing(job_id)
            if await self._archive.remove(recalled, self._clock.now_ms()) is Removed.REMOVED:
                await self._slot_client.quota.removed(recalled)
                return Told(job, changed=True)
        raise _changing(job_id)

    async def missing(self, job_id: str) -> UnknownJobError | JobGoneError:
        """What is to be said of a job that is not there."""
        if await self._archive.tombstone(job_id):
            return JobGoneError(job_id)
        return UnknownJobError(f"there is no job {job_id!r} (yet)")

    async def _take_place(self, job: Job, relay_id: str) -> None:
        """Have the job in the slot table before it runs again: it may have left it, and sweeps go by the slot table.

        With the word of the end that was read, so that one of a later run is never topped.
        """
        await self._slot_client.ask(job, SlotState("gone", job.finished_at_ms or 0), relay_id)

    async def _say_gone(self, untold: Untold, relay_id: str) -> bool:
        """Tell the admission at once what nobody would tell it any more: exactly the job's word; whether it took it.

        A later word is not topped: it may be that of a run that has begun since. Where a failover made the job forget
        it, the job's own slot request finds out, and requests anew.
        """
        slot_answer = await self._slot_client.ask(
            untold.job, SlotState("gone", untold.slot_request.attempt), relay_id, usage=untold.usage
        )
        return not slot_answer.later_epoch


def _is_early(job: Job, fact: Retrial | Removal) -> bool:
    return job.run < fact.run or (job.run == fact.run and not job.ended)


def _why_not_removed(job: Job, fact: Removal) -> str:
    if is_child(job.id):
        return f"job {job.id!r} belongs to job {root_of(job.id)!r}: delete that one"
    if not job.ended:
        return f"job {job.id!r} has not ended: cancel it first"
    return "" if job.run == fact.run else f"job {job.id!r} was retried meanwhile, and has ended again"


def _changing(job_id: str) -> StoreError:
    return StoreError(f"job {job_id!r} changes faster than it can be read: send the request again")
