"""Sends a job's slot requests to the admission: the one step that crosses to its hash tag; and writes the job's rows.

The admission's further answers are carried out here: a sweep is armed, and other jobs that got a slot are notified.
Rows of the lists are written beside each admission update. Invariant: a list that does not take a row harms no job; the
gap is logged and counted, and the next admission update writes the row again.
"""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial

from msgspec.structs import replace

from baton.engine.all_jobs.ends import end_of
from baton.engine.all_jobs.job_list import Row, found, members
from baton.engine.all_jobs.job_texts import outcome_text
from baton.engine.all_jobs.shelves import shelves_of
from baton.engine.all_jobs.slots import QueueEntry, SlotState
from baton.engine.commit.answers import Claim, History, UnsentRequest
from baton.engine.commit.stored_bytes import BytesAdded
from baton.engine.effects import LIST_GAPS, RequestSlot, Work
from baton.engine.state import Job, Usage
from baton.engine.step_results import Admitted, StepResult, Superseded
from baton.engine.work_items import slot_request_item
from baton.queue.dispatch import dispatch
from baton.sdk.clock import Clock
from baton.store.records.all_jobs import SlotAnswer, SlotGranted
from baton.store.redis.admission import Admission
from baton.store.redis.listing import Listing
from baton.store.redis.totals import Counters, count
from baton.store.transport.meter import written
from baton.worker.admission.stored_quota import StoredQuota
from baton_events.emitter import Emitter
from baton_events.errors import PublishError, StoreError
from baton_events.schema import SWEEP_ENDPOINT

_list_log = logging.getLogger("baton.listing")


class JobRows:
    def __init__(self, listing: Listing, counters: Counters) -> None:
        self.listing, self._counters = listing, counters

    async def __call__(self, row: Row) -> None:
        """Write a job's rows and its text, as far as the lists take them; its slot request names their shelves."""
        try:
            await self.listing.add(row, catalogued=True)
        except StoreError as error:
            _list_log.error("job %s is missing from a list of jobs until it is written again: %s", row.job_id, error)
            await count(self._counters, {LIST_GAPS: 1})

    async def without(self, row: Row, there: Row) -> None:
        """Remove those of a job's rows that are not among its right ones; nothing else knows of them."""
        if gone := set(members(row)) - set(members(there)):
            try:
                await self.listing.remove(gone)
            except StoreError as error:
                _list_log.warning("job %s may be in a list twice: %s", row.job_id, error)

    async def unlist(self, row: Row) -> None:
        """Remove a job's rows and texts, and those of the jobs below it."""
        await self.listing.forget([found(members(row)[0])])


_log = logging.getLogger("baton.admission")

NOT_AT_HAND = Usage()


class SlotClient:
    def __init__(self, admission: Admission, rows: JobRows, emitter: Emitter, clock: Clock, quota: StoredQuota) -> None:
        self.quota, self._admission, self._rows, self._emitter = quota, admission, rows, emitter
        self._clock = clock

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult | None:  # noqa: ARG002 - one signature
        """Send the slot request; nothing happens while the job must wait for its slot."""
        assert isinstance(effect, RequestSlot), "this executor is registered for RequestSlot"
        # Parts of calls that the end has dropped are stored, and no COMMIT has counted them yet: this one's will.
        usage = replace(effect.usage, written=effect.usage.written + written())
        slot_answer = await self.request(effect.job, SlotState(effect.want, effect.epoch), claim.owner, usage=usage)
        if slot_answer.later_epoch:
            return Superseded(slot_answer.later_epoch)
        return Admitted() if slot_answer.slot or effect.want != "slot" else None

    async def request(
        self,
        job: Job,
        slot_state: SlotState,
        replay: str,
        *,
        alone: bool = False,
        usage: Usage = NOT_AT_HAND,
        stored: BytesAdded | None = None,
        text: str = "",
    ) -> SlotAnswer:
        """Send the job's slot state to the admission, and notify jobs that got a slot; return the answer.

        `replay`: the invocation that sends it. `alone`: a new job is not entered while another one of its session is
        live, and is listed once it is created. `usage`: of an ended job. `stored`: a new job's addition to its
        tenant's bytes. `text`: of a new job's task, for searches.
        """
        now_ms = self._clock.now_ms()
        place = job.tenant, job.line, job.priority, job.created_at_ms
        entry = QueueEntry(*place, slot_state.epoch, slot_state.want, agent=job.agent)
        end = end_of(job, usage) if slot_state.want == "gone" and job.ended else None
        stored = self.quota.ended(job, usage) if end else stored
        row = _row(job, outcome_text(job), end.status) if end else _row(job, text)
        asking = partial(self._admission.slot_request, job.id, entry, now_ms, end=end, stored=stored)
        # Begun first, and awaited last: both are ready at the same time, so one request carries them.
        writing = None if alone else asyncio.create_task(self._rows(row))
        try:
            slot_answer = await asking(alone=alone, shelves=shelves_of(row))
        except BaseException:
            if writing:
                writing.cancel()
            raise
        if writing:
            await writing
        if slot_answer.sweep_at_ms:
            await arm_sweep(self._emitter, slot_answer.sweep_at_ms)
        await notify_granted(self._emitter, slot_answer.granted, now_ms, replay)
        return slot_answer

    async def enlist(self, job: Job) -> None:
        """Write a new job's row, before anything that only the row may tell of is stored. Raises StoreError."""
        await self._rows.listing.add(_row(job))

    async def write_row(self, job: Job, text: str) -> None:
        """Write the row of a job that was created alone, and its task's text; its slot request named the shelves."""
        await self._rows(_row(job, text))

    async def unlist(self, job: Job, there: Job) -> None:
        """Remove a submission's row that the job which is there does not have, as far as the lists take that."""
        await self._rows.without(_row(job), _row(there))

    async def forget(self, job: Job) -> None:
        """Take a job off the lists, with its texts, before its data is removed."""
        await self._rows.unlist(_row(job))

    async def release(self, request: UnsentRequest, replay: str) -> bool:
        """Send at once a request that would not be sent any more; return whether the admission took it.

        A later request is not topped: it may be that of a run that has begun since. Where a failover made the job
        forget it, the job's own slot request finds out, and requests anew.
        """
        slot_state = SlotState("gone", request.slot_request.attempt)
        return not (await self.request(request.job, slot_state, replay, usage=request.usage)).later_epoch


def _row(job: Job, text: str = "", end: str = "") -> Row:
    return Row(job.id, job.created_at_ms, job.tenant, job.session_id, job.agent, end, job.marks, text, job.run)


async def notify_granted(emitter: Emitter, granted: Sequence[SlotGranted], now_ms: int, replay: str) -> None:
    """Notify other jobs that they hold a slot: the event of their slot request comes again."""
    for other in granted:
        item = slot_request_item(other.job_id, "slot", other.epoch, now_ms)
        await dispatch(emitter, other.session_id, [item], replay)


async def arm_sweep(emitter: Emitter, at_ms: int) -> None:
    """Publish the next sweep's message. If this fails, the hourly backstop makes up for it."""
    try:
        await emitter.emit_to(
            SWEEP_ENDPOINT, f'{{"dueMs":{at_ms}}}', not_before_ms=at_ms, deduplication_id=f"sweep.{at_ms}"
        )
    except PublishError as error:
        _log.warning("no sweep could be armed; the hourly one checks: %s", error)
