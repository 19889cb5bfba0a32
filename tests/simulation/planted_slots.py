"""Defects of the slot table and its requests, and of what heals: failovers, backups, the sweep, old reads."""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from baton.engine.commit import operations
from baton.engine.commit.answers import Created
from baton.engine.commit.draft import Draft
from baton.engine.commit.tree import Tree
from baton.engine.state import Job
from baton.engine.work_items import ItemKind, WorkItem
from baton.queue.dispatch import Outcome
from baton.server.api.jobs.job import JobsApi
from baton.server.api.problem import ApiError
from baton.store.redis import admission, keys, totals
from baton.store.redis.admission import AdmissionControl
from baton.store.redis.listing import Listing
from baton.worker.commands import submit
from baton.worker.commands.backup import Backup
from baton.worker.recovery import sweep, undelivered
from baton.worker.runtime import pipeline
from baton_events.emitter import Emitter
from baton_events.errors import StoreError, UnknownJobError
from tests.simulation import plan, versions
from tests.simulation.planting import around, constant, defects, idle, in_script, in_scripts, replaced

_Call = Callable[..., Any]
_YOUNGEST_FIRST = "string.format('%015.0f', 10 ^ 15 - 1 - string.sub(r.order, 1, 15)) .. string.sub(r.order, 16)"
_BACKUPS: dict[str, Backup] = {}


async def _creating_nothing(again: _Call, self: submit.SubmitJob, event: Any, *rest: Any) -> Any:
    return await again(self, event, *rest) if await self.find(event.job_id) else ()


async def _noting_backups(send: _Call, self: Backup) -> Any:
    _BACKUPS[self.job.id] = self
    return await send(self)


async def _taking_back(accept: _Call, self: submit.SubmitJob, job: Any, *rest: Any, **named: Any) -> Any:
    _BACKUPS.pop(job.id, None)  # another world's
    try:
        return await accept(self, job, *rest, **named)
    except StoreError:
        if job.id in _BACKUPS:
            await _BACKUPS[job.id]._take_back()
        raise


async def _once_more(send: _Call, self: Emitter, endpoint: str, body: str, **named: Any) -> Any:
    return await send(self, endpoint, body, **{**named, "deduplication_id": ""} if '"after"' in body else named)


def _whatever_it_was(record: _Call, draft: Draft, expected: Job, *rest: Any) -> Any:
    return record(draft, draft.jobs.get(expected.id, expected), *rest)


async def _as_it_is_read(self: JobsApi, principal: Any, job: Any, _key: str) -> dict[str, Any]:
    stored = (await self.snapshot(principal, job.id)).job
    if stored.request_digest != job.request_digest:
        raise ApiError(422, "another body")
    return {"id": stored.id, "status": "completed"}


def _trusting_slot_requests(without_progress: _Call, self: Tree, job_id: str, entry: Any, *rest: Any) -> list[WorkItem]:
    found: list[WorkItem] = without_progress(self, job_id, entry, *rest)
    return [item for item in found if item.kind is not ItemKind.SLOT_REQUEST or entry is not None]


async def _as_created(_submit: submit.SubmitJob, created: Created, *_rest: Any) -> Created:
    return created


async def _acknowledging(handle: _Call, self: pipeline.Pipeline, delivered: Any) -> Any:
    try:
        return await handle(self, delivered)
    except UnknownJobError:
        return Outcome("unknown")


async def _still_stopped(start: _Call, self: AdmissionControl, *rest: Any) -> Any:
    stopped_ms = (await self.state()).stopped_ms
    started = await start(self, *rest)
    await self._redis.execute("HSET", keys.SLOTS, "closed", stopped_ms)
    return started


DEFECTS = (
    *defects(
        0,
        nobody_is_admitted_while_it_is_stopped=in_scripts("a stopped semaphore is given"),
        a_stop_and_a_start_are_what_they_say={
            "a start leaves it stopped": around(AdmissionControl, "start", _still_stopped)
        },
        each_end_is_counted_once={
            "an end is counted twice": around(
                totals, "with_end", lambda with_end, before, end: with_end(with_end(before, end), end)
            )
        },
        every_job_is_listed={"jobs are not listed": idle(Listing, "add")},
        no_slot_stays_free={
            "a sweep gives no free slot": in_script(("\nfill()\n", "\nif not plan.everybody then fill() end\n")),
            **in_scripts("a free slot stays free"),
        },
        slots_are_not_exceeded=in_scripts("one more holds it"),
        one_job_of_a_session_at_a_time=in_scripts("all members are free of their queues"),
        a_later_update_stays=in_scripts("an older update counts"),
        who_has_had_a_slot_has_run=in_scripts(
            "who repeats its update has run", "who was given it by another one has not run"
        ),
        a_word_is_a_sign_of_life=in_scripts(
            "a repeated update is no sign of life",
            "an earlier sign of life counts",
            "an older update is a sign of life",
        ),
        who_holds_and_who_waits_is_counted=in_scripts("who leaves the line stays counted"),
        a_sweep_is_armed_while_a_slot_is_held=in_scripts(
            "no alarm is set",
            "an alarm is set though nobody holds it",
            "a lost alarm is not set again",
            "the copy of an alarm sets another one",
            "the alarm that has come counts as set",
            "an alarm goes by the clock of who asks",
        ),
        a_page_is_requested_once={"a page requests the next one each time": around(Emitter, "emit_to", _once_more)},
        an_unknown_job_is_not_acknowledged={
            "an event of an unknown job is acknowledged": around(pipeline.Pipeline, "handle", _acknowledging)
        },
        the_book_is_empty_at_last={
            "a sweep does not compare slot requests with the slot table": constant(Tree, "agrees", answer=True)
        },
        an_accepted_job_exists={
            "a backup message creates nothing": around(submit.SubmitJob, "again", _creating_nothing),
            "a dead failure callback stays dead": idle(undelivered.DeadCallbacks, "revive", 0),
        },
        every_item_is_guaranteed={
            **in_scripts("who got a slot is not told"),
            "a backup is taken back though the store may have done it": (
                around(Backup, "_send", _noting_backups),
                around(submit.SubmitJob, "__call__", _taking_back),
            ),
        },
        work_begins_with_a_slot={
            "a tombstone leaves at once": (
                replaced(sweep, "TOMBSTONE_MS", -(10**9)),
                replaced(admission, "TOMBSTONE_MS", -(10**9)),
            ),
            "a job that was created with a slot, and is in line, is not corrected": replaced(
                submit.SubmitJob, "_corrected", _as_created
            ),
        },
        tenants_are_treated_fairly=in_scripts("what a flow holds counts nothing", "weight counts nothing"),
        a_session_is_served_in_order={
            "of a session the last comes first": in_script(
                ("(r.held and '0' or '1') .. ran .. r.order", "(r.held and '0' or '1') .. ran .. " + _YOUNGEST_FIRST)
            )
        },
        the_stream_has_one_beginning_and_one_end={
            "a fact is written on whatever the job is by now": around(operations, "record", _whatever_it_was)
        },
        an_api_answer_is_a_known_one={
            "a repeated submission is told what a read shows": replaced(JobsApi, "_submitted_before", _as_it_is_read)
        },
        versions_understand_each_other={
            "another version's record is read without a field": around(
                versions, "load_item", lambda load_item, text: replace(load_item(text), not_before_ms=0)
            )
        },
    ),
    *defects(
        plan.WAITING_SEEDS,
        a_wake_up_comes_before_a_new_job=in_scripts(
            "a free slot does not go to who has run before",
            "within a flow weight goes before who has run",
            "flows go by what they hold before who has run",
        ),
        a_session_is_served_in_order=in_scripts(
            "who rests leaves its queue", "of a session's jobs the oldest goes first, whoever has run"
        ),
        no_slot_stays_free=in_scripts("no member is free of its queue", "who has not begun holds up its queue"),
    ),
    *defects(
        plan.RETURNING_SEEDS,
        who_has_had_a_slot_has_run=in_scripts("who is begun anew has run"),
        who_speaks_stays=in_scripts("what was seen since is dropped"),
    ),
    *defects(
        plan.SESSION_SEEDS,
        every_item_is_guaranteed={
            "a slot request that the slot table knows nothing of is trusted": around(
                Tree, "without_progress", _trusting_slot_requests
            )
        },
        work_begins_with_a_slot={
            "a job in line is created with a slot": around(
                submit, "_changes", lambda changes, *arguments, **_slot: changes(*arguments, slot=True)
            )
        },
    ),
)
