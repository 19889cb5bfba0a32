"""Defects of what heals: failovers, the sweep, the admission's order, old reads."""

from collections.abc import Callable
from typing import Any

from msgspec import structs

from baton.api.jobs.job import JobsApi
from baton.api.problem import ApiError
from baton.commands import submit
from baton.commands.backup import Backup
from baton.engine.all_jobs import slots
from baton.engine.commit import operations
from baton.engine.state import Job
from baton.engine.work_items import ItemKind, WorkItem
from baton.recovery import dead_letters, reconciler
from baton_events.errors import StoreError
from tests.fakes import Tree
from tests.simulation import versions
from tests.simulation.planting import Defect, Patch, constant, idle, replaced


def _creating_nothing(again: Callable[..., Any]) -> Callable[..., Any]:
    async def nothing(self: submit.SubmitJob, event: Any, *rest: Any) -> Any:
        return await again(self, event, *rest) if await self.find(event.job_id) else ()

    return nothing


def _noting_backups(send: Callable[..., Any]) -> Callable[..., Any]:
    async def noting(self: Backup) -> Any:
        _BACKUPS[self.job.id] = self
        return await send(self)

    return noting


_BACKUPS: dict[str, Backup] = {}


def _taking_back(accept: Callable[..., Any]) -> Callable[..., Any]:
    async def taking_back(self: submit.SubmitJob, job: Any, *rest: Any, **named: Any) -> Any:
        _BACKUPS.pop(job.id, None)  # another world's
        try:
            return await accept(self, job, *rest, **named)
        except StoreError:
            if job.id in _BACKUPS:
                await _BACKUPS[job.id]._take_back()
            raise

    return taking_back


def _whatever_it_was(record: Callable[..., Any]) -> Callable[..., Any]:
    def overwriting(tree: Tree, expected: Job, *rest: Any) -> Any:
        return record(tree, tree.jobs.get(expected.id, expected), *rest)

    return overwriting


def _as_it_is_read(_original: Any) -> Any:
    async def before(self: JobsApi, principal: Any, job: Any, _key: str) -> dict[str, Any]:
        stored = (await self.snapshot(principal, job.id)).job
        if stored.request_digest != job.request_digest:
            raise ApiError(422, "another body")
        return {"id": stored.id, "status": "completed"}

    return before


def _last_come_first_served(_original: Any) -> Any:
    return lambda item: (not item[1].slot, not item[1].started, -item[1].created_ms, item[0])


def _new_ones_first(rank: Callable[..., Any]) -> Callable[..., Any]:
    return lambda name, entry, held: rank(name, structs.replace(entry, started=not entry.started), held)


def _same_for_all(rank: Callable[..., Any]) -> Callable[..., Any]:
    return lambda name, entry, _held: rank(name, entry, 0)


def _trusting_slot_requests(without_progress: Callable[..., Any]) -> Callable[..., Any]:
    def trusting(self: Tree, job_id: str, entry: Any, *rest: Any) -> list[WorkItem]:
        found: list[WorkItem] = without_progress(self, job_id, entry, *rest)
        return [item for item in found if item.kind is not ItemKind.SLOT_REQUEST or entry is not None]

    return trusting


def _losing(load_item: Callable[[str], WorkItem]) -> Callable[[str], WorkItem]:
    return lambda text: structs.replace(load_item(text), not_before_ms=0)


DEFECTS = (
    Defect(
        "a sweep does not compare slot requests with the slot table",
        "the_book_is_empty_at_last",
        (constant(Tree, "agrees", answer=True),),
    ),
    Defect(
        "a slot request that the slot table knows nothing of is trusted",
        "nothing_is_left_to_a_sweep",
        (Patch(Tree, "without_progress", _trusting_slot_requests),),
        sessions=True,
    ),
    Defect(
        "a backup message creates nothing",
        "an_accepted_job_exists",
        (Patch(submit.SubmitJob, "again", _creating_nothing),),
    ),
    Defect(
        "a backup is taken back though the store may have done it",
        "every_item_is_guaranteed",
        (
            Patch(Backup, "_send", _noting_backups),
            Patch(submit.SubmitJob, "__call__", _taking_back),
        ),
    ),
    Defect(
        "a dead failure callback stays dead",
        "an_accepted_job_exists",
        (idle(dead_letters.DeadCallbacks, "revive", 0),),
    ),
    Defect(
        "a tombstone leaves at once",
        "work_begins_with_a_slot",
        (replaced(reconciler, "TOMBSTONE_MS", -(10**9)), replaced(slots, "TOMBSTONE_MS", -(10**9))),
    ),
    Defect(
        "a new job comes before a wake-up",
        "a_wake_up_comes_before_a_new_job",
        (Patch(slots, "_rank", _new_ones_first),),
        waits=True,
    ),
    Defect("tenants are not treated fairly", "tenants_are_treated_fairly", (Patch(slots, "_rank", _same_for_all),)),
    Defect(
        "of a session the last comes first",
        "a_session_is_served_in_order",
        (Patch(slots, "_turn", _last_come_first_served),),
    ),
    Defect(
        "a fact is written on whatever the job is by now",
        "the_stream_has_one_beginning_and_one_end",
        (Patch(operations, "record", _whatever_it_was),),
    ),
    Defect(
        "a repeated submission is told what a read shows",
        "an_api_answer_is_a_known_one",
        (Patch(JobsApi, "_submitted_before", _as_it_is_read),),
    ),
    Defect(
        "another version's record is read without a field",
        "versions_understand_each_other",
        (Patch(versions, "load_item", _losing),),
    ),
)
