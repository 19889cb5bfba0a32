"""Defects of large payloads, planted in worlds whose tasks and results are objects."""

import asyncio
import json
from typing import Any

from baton.engine.all_jobs.job_list import Found
from baton.engine.state import Job
from baton.store.objects import Objects
from baton.store.records.objects import job_place, named
from baton.worker.commands.delete import DeleteJob
from baton.worker.commands.submit import SubmitJob
from baton.worker.payloads import Leaving, Payloads
from baton.worker.recovery.maintenance import ObjectPruning
from baton_events.ids import canonical_json
from tests.simulation.plan import OBJECT_SEEDS, RETURNING_SEEDS, WAITING_SEEDS
from tests.simulation.planting import around, defects, idle

_LATE_SECONDS = 5
# In few worlds all die who bring a job, and leave its task: in one of these.
_NEVER_CREATED_SEEDS = OBJECT_SEEDS + 3_774_399


def _write_later(objects: Objects, place: str, tenant: str, data: bytes) -> None:
    """Write an object a moment after it is named, in a process that may die meanwhile."""

    async def write() -> None:
        await asyncio.sleep(_LATE_SECONDS)
        await objects.put(place, tenant, data)

    asyncio.get_running_loop().create_task(write())


async def _result_later(_original: Any, self: Payloads, job: Job, result_json: str) -> tuple[str, int]:
    data = result_json.encode()
    ref = await self.objects.ref(job_place(job.tenant, job.id), data)
    _write_later(self.objects, job_place(job.tenant, job.id), job.tenant, data)
    return canonical_json(named(str(ref), len(data))), len(data)


async def _task_later(_original: Any, self: SubmitJob, job: Job, content: bytes) -> None:
    if self.payloads is not None and content:
        _write_later(self.payloads.objects, job_place(job.tenant, job.id), job.tenant, content)


async def _outcome_later(_original: Any, self: Leaving, text: str) -> str:
    outcome = json.loads(text)
    if not self._payloads.is_large(text) or "ok" not in outcome or "apart" in outcome:
        return text
    value = canonical_json(outcome["ok"])
    _write_later(self._payloads.objects, self._place, self._tenant, value.encode())
    ref = await self._payloads.objects.ref(self._place, value.encode())
    return canonical_json(outcome | {"ok": named(str(ref), len(value.encode())), "apart": True})


async def _objects_first(original: Any, self: DeleteJob, job: Job) -> Any:
    if self.objects is not None:
        await self.objects.delete_below(job_place(job.tenant, job.id))
    return await original(self, job)


async def _none_without_a_tombstone(_original: Any, self: ObjectPruning, row: Found, before_ms: int) -> bool:
    stone = await self._archive.tombstone(row.job_id)
    if stone is not None:
        await self._objects.delete_below(job_place(stone.tenant, row.job_id))
    return stone is not None or row.created_ms < before_ms


DEFECTS = (
    *defects(
        _NEVER_CREATED_SEEDS,
        nothing_outlives_its_job={
            "the task of a job that was never created is not swept": around(
                ObjectPruning, "_is_without", _none_without_a_tombstone
            )
        },
    ),
    *defects(
        OBJECT_SEEDS,
        a_committed_ref_has_its_object={
            "a result is written after the commit that names it": around(Payloads, "result_stored", _result_later),
            "a task is written after its job is created": around(SubmitJob, "_store_task", _task_later),
        },
        nothing_outlives_its_job={"objects of expired jobs are not swept": idle(ObjectPruning, "_is_without", True)},
    ),
    *defects(
        OBJECT_SEEDS + WAITING_SEEDS,
        a_committed_ref_has_its_object={
            "an outcome is written after its commit": around(Leaving, "call_outcome", _outcome_later)
        },
    ),
    *defects(
        OBJECT_SEEDS + RETURNING_SEEDS,
        a_deleted_job_has_no_object={"a deletion that dies forgets the objects": idle(DeleteJob, "_delete_objects")},
        a_kept_ref_has_its_object={
            "a deletion deletes objects before the record": around(DeleteJob, "__call__", _objects_first)
        },
    ),
)
