"""Large payloads of jobs: put into the object store before a record names them, and read where they are needed.

Invariant: what a record names is there, whole and unchanged, or it counts as gone. Must not: follow a ref that no
record has, or delete what a record may still name.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

from msgspec import structs

from baton.engine.all_jobs.job_list import Query
from baton.engine.commit.codec import load_values
from baton.engine.effects import Changes, Report
from baton.engine.lifecycle import outcome_of
from baton.engine.state import Job
from baton.settings.settings import Settings
from baton.store.objects import Objects
from baton.store.records.objects import (
    JSON,
    PREVIEW_CHARS,
    job_place,
    large_fields,
    named,
    record_apart,
    record_whole,
    ref_of,
)
from baton.store.redis.listing import Listing
from baton.store.redis.reader import Reader
from baton_events.errors import OWN_CODEC, PayloadGoneError, UnreadablePayloadError
from baton_events.ids import canonical_json

# What a process keeps of objects that it has read or written: entries of transcripts, states of runs.
KNOWN_BYTES = 4_000_000
# Of a session: a tool may read large results of so many of its newest jobs.
_SESSION_JOBS = 100
Results = dict[str, dict[str, Any]]


class KnownObjects:
    """What this process has read or written last of what each piece of a job reads."""

    def __init__(self, objects: Objects) -> None:
        self._objects, self._known = objects, dict[str, bytes]()

    async def content(self, ref: str) -> bytes:
        """Return an object. Raises PayloadGoneError."""
        data = self._known.pop(ref, None)
        return self.keeps(ref, await self._objects.get(ref) if data is None else data)

    def keeps(self, ref: str, data: bytes) -> bytes:
        """Keep what the next piece of work may read, in place of what was not read for longest."""
        if len(data) <= KNOWN_BYTES:
            self._known[ref] = data
            while sum(map(len, self._known.values())) > KNOWN_BYTES:
                del self._known[next(iter(self._known))]
        return data


class Payloads:
    """Large payloads of one deployment. Each method raises ObjectStoreError where the object store does not answer."""

    def __init__(self, objects: Objects, settings: Settings) -> None:
        self.objects = objects
        self.from_bytes, self.model_bytes = settings.object_from_bytes, settings.result_limit_bytes
        self._prompt_bytes = settings.prompt_limit_bytes
        self.whole_bytes = max(self._prompt_bytes, settings.large_result_limit_bytes)
        self.known = KnownObjects(objects)

    def is_large(self, text: str) -> bool:
        """Return whether a payload is kept apart."""
        return len(text) >= self.from_bytes or (4 * len(text) >= self.from_bytes <= len(text.encode()))

    async def result_stored(self, job: Job, result_json: str) -> tuple[str, int]:
        """Put a call's result into the object store; return what its record has in its place, and its size."""
        leaving = Leaving(self, job, keeps=False)
        there = await leaving.there(result_json, result_json[:PREVIEW_CHARS])
        return canonical_json(there), leaving.size_bytes

    async def task_named(self, job: Job, task: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        """Return the entry of a task, and what is to be stored before a record has it; nothing of a small one."""
        moved = {} if "apart" in task else large_fields(task)
        content = canonical_json(moved)
        if not self.is_large(content):
            return task, b""
        data = content.encode()
        ref = await self.objects.ref(job_place(job.tenant, job.id), data)
        return record_apart(task, moved, named(str(ref), len(data))), data

    async def whole_record(self, record: dict[str, Any]) -> dict[str, Any]:
        """Return a record with its large fields. Raises PayloadGoneError."""
        return record_whole(record, await self.known.content(record["apart"]["ref"])) if "apart" in record else record

    async def value(self, there: Mapping[str, Any]) -> Any:
        """Read the value of a result, by what its record has.

        Raises PayloadGoneError: it is not there, or not as it was written.
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
            elif "apart" in stored.get("kept", ()):
                read[call_id] = {**stored, "kept": await self._kept(stored["kept"])}
        return {**results, **read} if read else results

    async def for_people(self, results: Results) -> Results:
        """Return the same for people, who are shown the record of a result that is gone."""
        found = Results()
        for call_id, stored in results.items():
            with suppress(PayloadGoneError):
                found |= await self.for_models({call_id: stored})
        return {**results, **found}

    async def for_code(self, results: Results) -> Results:
        return {name: await self._filled(stored) for name, stored in results.items()}

    async def _filled(self, stored: dict[str, Any]) -> dict[str, Any]:
        filled = {**stored, "kept": await self._kept(stored["kept"])} if "apart" in stored.get("kept", ()) else stored
        if "apart" not in stored:
            return filled
        kept = {name: value for name, value in filled.items() if name != "apart"}
        return {**kept, "ok": await self.value(stored["ok"])}

    async def _kept(self, kept: Mapping[str, Any]) -> Any:
        return load_values([(await self.known.content(kept["apart"]["ref"])).decode()])[0]

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


SCRIPT_APART = "apart:"


# The pauses before what a codec has refused is put again, as a COMMIT is: the work that made it need not be done again.
PAUSES_SECONDS = (0.25, 0.5, 1.0, 2.0, 4.0)


class Leaving:
    """What leaves the records of a job for the object store. `size_bytes`: how much has; `keeps`: as `KnownObjects`.

    Invariant: the same value has the same name, whatever writes it again.
    """

    def __init__(self, payloads: Payloads, job: Job, *, keeps: bool = True) -> None:
        self._payloads, self._keeps = payloads, keeps
        self._place, self._tenant, self.size_bytes = job_place(job.tenant, job.id), job.tenant, 0

    async def there(self, text: str, preview: str = "") -> dict[str, Any]:
        """Put a text; return what a record has in its place."""
        data = text.encode()
        ref = await self._put(data)
        if self._keeps:
            self._payloads.known.keeps(ref, data)
        self.size_bytes += len(data)
        return named(ref, len(data), JSON, preview)

    async def _put(self, data: bytes) -> str:
        """Put an object; again where a codec of one's own refuses it. The object store's library repeats the rest."""
        for pause_seconds in PAUSES_SECONDS:
            try:
                return await self._payloads.objects.put(self._place, self._tenant, data)
            except UnreadablePayloadError as error:
                if error.key_id != OWN_CODEC:
                    raise
            await asyncio.sleep(pause_seconds)
        return await self._payloads.objects.put(self._place, self._tenant, data)

    async def short_record(self, record: dict[str, Any]) -> dict[str, Any]:
        """Return a task, an entry of a transcript or a result of a job; a large one names its large fields."""
        moved = {} if "apart" in record else large_fields(record)
        content = canonical_json(moved)
        is_large = bool(moved) and self._payloads.is_large(content)
        return record_apart(record, moved, await self.there(content)) if is_large else record

    async def entry(self, text: str) -> str:
        return canonical_json(await self.short_record(json.loads(text))) if self._payloads.is_large(text) else text

    async def call_outcome(self, text: str) -> str:
        """Return the JSON text of a call's outcome: of its value, and of what its run keeps with it."""
        if not self._payloads.is_large(text):
            return text
        outcome = json.loads(text)
        if "kept" in outcome and "apart" not in outcome["kept"]:
            kept = canonical_json(outcome["kept"])
            outcome["kept"] = {"apart": await self.there(kept)} if self._payloads.is_large(kept) else outcome["kept"]
        if "ok" in outcome and "apart" not in outcome:
            value = canonical_json(outcome["ok"])
            if self._payloads.is_large(value):
                outcome |= {"ok": await self.there(value, value[:PREVIEW_CHARS]), "apart": True}
        return canonical_json(outcome)

    async def job(self, job: Job) -> Job:
        """Return a job: of its answer, its result, and the state of its script."""
        new, is_large = dict[str, Any](), self._payloads.is_large
        if isinstance(job.best_answer, str) and is_large(job.best_answer):
            new["best_answer"] = await self.short_record({"answer": job.best_answer})
        if job.result is not None and job.ended:
            new["result"] = await self.short_record(job.result)
        snapshot = job.scripts[0].script.snapshot if job.scripts else ""
        if is_large(snapshot) and not snapshot.startswith(SCRIPT_APART):
            there = await self.there(snapshot)
            script = structs.replace(job.scripts[0].script, snapshot=f"{SCRIPT_APART}{there['ref']}")
            new["scripts"] = (structs.replace(job.scripts[0], script=script), *job.scripts[1:])
        return structs.replace(job, **new) if new else job


async def stored(payloads: Payloads, job: Job, changes: Changes, outcome: str = "") -> Changes:
    """Put what is large of a COMMIT into the object store; return the changes that name it.

    `outcome`: of the wait that it ends, which is recorded, and stays as it is.
    """
    leaving = Leaving(payloads, job)
    new: dict[str, Any] = {
        "transcript": tuple([await leaving.entry(text) for text in changes.transcript]),
        "results": {
            name: text if text == outcome else await leaving.call_outcome(text)
            for name, text in changes.results.items()
        },
    }
    if changes.job:
        new["job"] = await leaving.job(changes.job)
    if changes.going_on:
        new["going_on"] = structs.replace(changes.going_on, job=await leaving.job(changes.going_on.job))
    if changes.report:
        new["report"] = await _report(payloads, leaving, changes, changes.report)
    if changes.child and changes.child.job:
        new["child"] = await stored(payloads, changes.child.job, changes.child)
    if not (leaving.size_bytes or "child" in new or "report" in new):
        return changes
    return structs.replace(changes, **new, apart_bytes=changes.apart_bytes + leaving.size_bytes)


async def _report(payloads: Payloads, leaving: Leaving, changes: Changes, report: Report) -> Report:
    """Return a child's outcome; of an answer that is an object already, with that."""
    child, text = changes.job, report.outcome
    if child is not None and child.result and "apart" in child.result:
        text = outcome_of(structs.replace(child, result=await payloads.whole_record(child.result)))
    return structs.replace(report, outcome=await leaving.call_outcome(text))
