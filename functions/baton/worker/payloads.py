"""Large payloads of jobs: put into the object store before a record names them, and read where they are needed.

Invariant: what a record names is there, whole and unchanged, or it counts as gone. Must not: follow a ref that no
record has, or delete what a record may still name.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

from baton.engine.all_jobs.job_list import Query
from baton.engine.commit.codec import load_values
from baton.engine.state import Job
from baton.settings.settings import Settings
from baton.store.objects import Objects
from baton.store.records.objects import (
    JSON,
    PREVIEW_CHARS,
    job_place,
    named,
    ref_of,
    task_apart,
    task_content,
    task_whole,
)
from baton.store.redis.listing import Listing
from baton.store.redis.reader import Reader
from baton_events.errors import PayloadGoneError
from baton_events.ids import canonical_json

# Of a session: a tool may read large results of so many of its newest jobs.
_SESSION_JOBS = 100
Results = dict[str, dict[str, Any]]


class Payloads:
    """Large payloads of one deployment. Each method raises ObjectStoreError where the object store does not answer."""

    def __init__(self, objects: Objects, settings: Settings) -> None:
        self.objects = objects
        self.from_bytes, self.model_bytes = settings.object_from_bytes, settings.result_limit_bytes
        self._prompt_bytes = settings.prompt_limit_bytes

    def is_large(self, text: str) -> bool:
        """Return whether a payload is kept apart."""
        return len(text) >= self.from_bytes or (4 * len(text) >= self.from_bytes <= len(text.encode()))

    async def result_stored(self, job: Job, result_json: str) -> tuple[str, int]:
        """Put a call's result into the object store; return what its record has in its place, and its size."""
        data = result_json.encode()
        ref = await self.objects.put(job_place(job.tenant, job.id), job.tenant, data)
        there = named(ref, len(data), JSON, result_json[:PREVIEW_CHARS])
        return canonical_json(there), len(data)

    async def task_named(self, job: Job, task: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        """Return the entry of a task, and what is to be stored before a record has it; nothing of a small one."""
        content = task_content(task)
        if not self.is_large(content):
            return task, b""
        data = content.encode()
        ref = await self.objects.ref(job_place(job.tenant, job.id), data)
        return task_apart(task, named(str(ref), len(data))), data

    async def task(self, entry: dict[str, Any]) -> dict[str, Any]:
        """Return the entry of a task with its content. Raises PayloadGoneError."""
        return task_whole(entry, await self.objects.get(entry["apart"]["ref"])) if "apart" in entry else entry

    async def value(self, there: Mapping[str, Any]) -> Any:
        """Read the value of a result, by what its record has.

        Raises:
            PayloadGoneError: it is not there, or not as it was written.
        """
        data = await self.objects.get(there["ref"])
        return load_values([data.decode()])[0]

    async def for_models(self, results: Results, known_bytes: int = 0) -> Results:
        """Return a job's results as a model gets them.

        One that is not larger than RESULT_LIMIT_BYTES is given whole, the newest first, as long as all fit into what a
        turn reads. `known_bytes`: of the records that it reads besides. Raises PayloadGoneError.
        """
        left_bytes, read = self._prompt_bytes - known_bytes, Results()
        for call_id, stored in reversed(results.items()):
            size_bytes = stored["ok"]["bytes"] if "apart" in stored else 0
            if 0 < size_bytes <= min(self.model_bytes, left_bytes):
                read[call_id] = await self._filled(stored)
                left_bytes -= size_bytes
        return {**results, **read} if read else results

    async def for_people(self, results: Results) -> Results:
        """Return the same for people, who are shown the record of a result that is gone."""
        found = Results()
        for call_id, stored in results.items():
            with suppress(PayloadGoneError):
                found |= await self.for_models({call_id: stored})
        return {**results, **found}

    async def for_code(self, results: Results) -> Results:
        """Return results with all their values, for code."""
        return {name: await self._filled(stored) for name, stored in results.items()}

    async def _filled(self, stored: dict[str, Any]) -> dict[str, Any]:
        if "apart" not in stored:
            return stored
        kept = {name: value for name, value in stored.items() if name != "apart"}
        return {**kept, "ok": await self.value(stored["ok"])}

    async def is_of(self, job: Job, ref: str, listing: Listing, reader: Reader) -> bool:
        """Return whether a text is the ref of a payload of the job's own tree, or of a job of its session.

        What else names one is only data.
        """
        try:
            place = ref_of(ref).place
        except ValueError:
            return False
        if place == job_place(job.tenant, job.id):
            return True
        scanned = await listing.scan(Query(tenant=job.tenant, session_id=job.session_id), "", _SESSION_JOBS)
        ids = [row.job_id for row in scanned.found if job_place(job.tenant, row.job_id) == place]
        # Rows distinguish tenants and sessions only by a short mark.
        found = [one.job for one in (await reader.jobs(ids)).values()]
        return any((one.tenant, one.session_id) == (job.tenant, job.session_id) for one in found)

    def chunks(self, ref: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Yield the bytes of a payload in pieces. Raises PayloadGoneError as well."""
        return self.objects.chunks(ref, start, end)
