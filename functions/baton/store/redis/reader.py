"""Reads jobs for people and programs, each in one pipeline request; never part of a transition.

A hash that may exceed one answer of the store is read piece by piece: names, their sizes, then the values.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from msgspec import structs

from baton.engine.all_jobs.slots import SlotState
from baton.engine.commit.codec import (
    load_call,
    load_item,
    load_job,
    load_results,
    load_score,
    load_slot_state,
    load_spend,
)
from baton.engine.state import CallRecord, Job
from baton.engine.stream_parts import start
from baton.engine.transcript import recalled
from baton.store.records.jobs import Snapshot, StoredParts
from baton.store.records.objects import record_whole
from baton.store.redis import keys
from baton.store.redis.connection import RedisConnection
from baton.store.redis.semaphore import flow_of
from baton.store.redis.texts import TreeTexts
from baton.store.redis.tree.details import as_dict, entries_in, results_in
from baton.store.transport.redis_rest import Command
from baton_events.errors import ObjectStoreError, PayloadGoneError, StoreAnswerError, UnreadablePayloadError
from baton_events.sealing import SEALED

if TYPE_CHECKING:
    from baton.store.objects import Objects

PIECE_BYTES = 4_000_000
_NAMES = 500


async def in_pieces(redis: RedisConnection, key: str) -> dict[str, str]:
    """Return all fields of a hash, without those that go meanwhile. Raises StoreError: the store did not answer."""
    names, sizes = list[str](await redis.execute("HKEYS", key)), list[int]()
    for first in range(0, len(names), _NAMES):
        requested = names[first : first + _NAMES]
        sizes += await redis.pipeline(*(["HSTRLEN", key, name] for name in requested))
    found: dict[str, str] = {}
    for piece in pieces(zip(names, sizes, strict=True)):
        values = await redis.execute("HMGET", key, *piece)
        found |= {name: value for name, value in zip(piece, values, strict=True) if value is not None}
    return found


def pieces(sized: Iterable[tuple[str, int]], most_bytes: int = PIECE_BYTES) -> Iterator[list[str]]:
    """Yield names in their order, in lists of at most this size together; a larger one comes alone."""
    piece, left = list[str](), most_bytes
    for name, size in sized:
        if piece and size > left:
            yield piece
            piece, left = [], most_bytes
        piece.append(name)
        left -= size
    if piece:
        yield piece


_KEY = attrgetter("key")
_STOPPED = ["HGET", keys.SLOTS, "closed"]
# Entries of a long stream, so that no answer of the store grows with the whole of it.
PAGE_ENTRIES = 250
_FEWER = 4  # of a page that is more than an answer may have, the next one has this part
_LAST = 2**52  # no list is as long, and every client and script can express it


class ManyJobs:
    """Reads the same of many jobs, in a request or two."""

    def __init__(self, connection: RedisConnection) -> None:
        self._redis = connection

    async def records(self, job_ids: Sequence[str]) -> list[Job]:
        """Return the records of those of these jobs that are there, in one request of one command each."""
        texts = await self._redis.pipeline(*map(_own, job_ids)) if job_ids else []
        found = zip(job_ids, texts, strict=True)
        return [load_job(text, TreeTexts(self._redis.sealing, name)) for name, text in found if text]

    async def known(self, job_ids: Sequence[str]) -> frozenset[str]:
        """Return those of these jobs that have data, in one request of one command each."""
        if not job_ids:
            return frozenset()
        there = await self._redis.pipeline(*(["HEXISTS", keys.state_key(name), f"job:{name}"] for name in job_ids))
        return frozenset(name for name, found in zip(job_ids, there, strict=True) if found)

    async def calls(self, job_ids: Sequence[str]) -> dict[str, tuple[CallRecord, ...]]:
        """Return the tool calls of many jobs: reads their names, then the records that are no results."""
        if not job_ids:
            return {}
        found = await self._redis.pipeline(*(["HKEYS", keys.calls_key(name)] for name in job_ids))
        names = {job: [one for one in each if keys.is_call(one)] for job, each in zip(job_ids, found, strict=True)}
        some = {job: each for job, each in names.items() if each}
        if not some:
            return {}
        texts = await self._redis.pipeline(*(["HMGET", keys.calls_key(job), *each] for job, each in some.items()))
        return {
            job: tuple(load_call(text, TreeTexts(self._redis.sealing, job)) for text in each if text)
            for job, each in zip(some, texts, strict=True)
        }


class Reader(ManyJobs):
    """Reads jobs for people and programs; never part of a transition."""

    def __init__(self, connection: RedisConnection, objects: "Objects | None" = None, jobs_per_tenant: int = 0) -> None:
        super().__init__(connection)
        self._objects, self._of_tenant = objects, jobs_per_tenant

    async def job(
        self, job_id: str, *, partly: bool = False, kept: bool = False, whole: bool = False
    ) -> Snapshot | None:
        """Return everything about a job; None when unknown. `partly`: also where some of its texts cannot be opened.

        `kept`: with all that runs of its calls have kept beside their results, which may be objects. `whole`: with its
        transcript and all values, too.

        Raises UnreadablePayloadError: some cannot.
        """
        calls_key = keys.calls_key(job_id)
        others: tuple[Command, ...] = (["HGETALL", keys.state_key(job_id)], _STOPPED)
        try:
            # The SDK makes a dict of HGETALL's flat reply.
            state, stopped, stored = await self._redis.pipeline(*others, ["HGETALL", calls_key])
        except StoreAnswerError:
            # All together may be more than the store answers at once.
            state, stopped = await self._redis.pipeline(*others)
            stored = await in_pieces(self._redis, calls_key)
        if f"job:{job_id}" not in state:
            return None
        texts = TreeTexts(self._redis.sealing, job_id)
        records = [load_call(text, texts) for name, text in stored.items() if keys.is_call(name)]
        results = {name: texts.opened(text) for name, text in results_in(stored).items()}
        first = entries_in(stored)[:2]
        [snapshot] = await self._bounded([_snapshot(job_id, state, first, stopped, texts)])
        snapshot = replace(
            snapshot,
            calls=tuple(sorted(records, key=lambda call: (call.turn, call.position))),
            results=load_results({name: text for name, text in results.items() if not text.startswith(SEALED)}),
            memory=recalled(texts.readable(first)),
            unreadable=tuple(texts.unreadable),
        )
        if texts.unreadable and not partly:
            raise UnreadablePayloadError(snapshot.unreadable[0])
        if whole:
            snapshot = replace(snapshot, transcript=await self._entries(stored, texts))
        if self._objects is None:
            return snapshot
        filled = await self._filled(self._objects, snapshot, partly=partly)
        return await _with_values(self._objects, filled, whole=whole) if kept or whole else filled

    async def _filled(self, objects: "Objects", snapshot: Snapshot, *, partly: bool) -> Snapshot:
        """Return a job with its task, memory and result; of one that cannot be read the beginning is shown."""
        unreadable = (UnreadablePayloadError,) if partly else ()

        async def shown(record: dict[str, Any] | None) -> dict[str, Any] | None:
            if record and "apart" in record:
                with suppress(PayloadGoneError, ObjectStoreError, *unreadable):
                    return await self._whole(objects, record)
            return record

        job = structs.replace(snapshot.job, result=await shown(snapshot.job.result))
        return replace(snapshot, task=await shown(snapshot.task) or {}, memory=await shown(snapshot.memory), job=job)

    async def jobs(self, job_ids: Sequence[str]) -> dict[str, Snapshot]:
        """Return many jobs in one request, by id; unknown ones are left out.

        Without their tool calls, results and retrieved memory: a list would be too heavy. Texts that cannot be opened
        are missing, and `Snapshot.unreadable` says so.
        """
        if not job_ids:
            return {}
        try:
            return await self._jobs(job_ids)
        except StoreAnswerError:
            if len(job_ids) == 1:
                raise
        middle = len(job_ids) // 2
        return {**await self.jobs(job_ids[:middle]), **await self.jobs(job_ids[middle:])}

    async def _jobs(self, job_ids: Sequence[str]) -> dict[str, Snapshot]:
        commands = list[Command]()
        for job_id in job_ids:
            commands += [["HGETALL", keys.state_key(job_id)], ["HMGET", keys.calls_key(job_id), f"{keys.ENTRY}0"]]
        *answers, stopped = await self._redis.pipeline(*commands, _STOPPED)
        found = [
            _snapshot(name, state, first, stopped, TreeTexts(self._redis.sealing, name))
            for name, state, first in zip(job_ids, answers[::2], answers[1::2], strict=True)
            if f"job:{name}" in state
        ]
        return {one.job.id: one for one in await self._bounded(found)}

    async def _bounded(self, found: list[Snapshot]) -> list[Snapshot]:
        """Note which of them wait because as many jobs of their tenant are at work as may be."""
        waiting = sorted({one.job.tenant for one in found if not (one.job.ended or one.slot_state.slot)})
        if not (self._of_tenant and waiting):
            return found
        texts = await self._redis.execute("HMGET", keys.SLOTS, *[f"flow:{flow_of(name)[:-1]}" for name in waiting])
        held = {name: json.loads(text)["held"] for name, text in zip(waiting, texts, strict=True) if text}
        full = {name for name, number in held.items() if number >= self._of_tenant}
        return [replace(one, of_tenant=self._of_tenant) if one.job.tenant in full else one for one in found]

    async def transcript(self, job_id: str) -> tuple[dict[str, Any], ...]:
        """Return all entries of the job's transcript, in order; none when unknown. Raises PayloadGoneError."""
        try:
            stored = as_dict(await self._redis.execute("HGETALL", keys.calls_key(job_id)))
        except StoreAnswerError:
            stored = await in_pieces(self._redis, keys.calls_key(job_id))
        return await self._entries(stored, TreeTexts(self._redis.sealing, job_id))

    async def _entries(self, stored: Mapping[str, str], texts: TreeTexts) -> tuple[dict[str, Any], ...]:
        entries, objects = [json.loads(text) for text in texts.open_each(entries_in(stored))], self._objects
        if objects is None:
            return tuple(entries)
        return tuple([await self._whole(objects, entry) if "apart" in entry else entry for entry in entries])

    async def _whole(self, objects: "Objects", record: Mapping[str, Any]) -> dict[str, Any]:
        return record_whole(record, await objects.get(record["apart"]["ref"]))

    async def parts(self, job_id: str, after: int, known: Job | None = None) -> StoredParts:
        """Return the job's parts after number `after`; of a negative one the last ones, without their numbers.

        `known`: the job as it was read before, which saves a request.
        """
        own = _own(job_id)
        texts = TreeTexts(self._redis.sealing, job_id)
        if known is None:
            text = await self._redis.execute(*own)
            if not text:
                return StoredParts(None)
            known = load_job(text, texts)
        found, last, count = StoredParts(None), after, PAGE_ENTRIES if after >= 0 else -after
        while True:
            try:
                # The job after its parts: whoever reads the last of them finds the result, too.
                page, text = await self._redis.pipeline(_reading(known, last, count), own)
            except StoreAnswerError:  # it may be more than the store answers at once
                if count == 1 or after < 0:
                    raise
                count = -(-count // _FEWER)
                continue
            more = _numbered(known, page, last, texts)
            found = replace(more, first=found.first, parts=(*found.parts, *more.parts)) if found.parts else more
            last = found.first + len(found.parts) - 1
            if len(page) < count or after < 0:
                return replace(found, job=load_job(text, texts)) if text else StoredParts(None)

    async def new_parts(self, jobs: Sequence[tuple[Job, int]]) -> list[StoredParts]:
        """Return the parts of many known jobs after a number each: in one request, where they are not many more."""
        commands = [each for job, after in jobs for each in (_reading(job, after), _own(job.id))]
        try:
            answers = await self._redis.pipeline(*commands) if commands else []
        except StoreAnswerError:
            return [await self.parts(job.id, after, job) for job, after in jobs]
        found = list[StoredParts]()
        for (job, after), page, text in zip(jobs, answers[::2], answers[1::2], strict=True):
            texts = TreeTexts(self._redis.sealing, job.id)
            if len(page) == PAGE_ENTRIES:
                found.append(await self.parts(job.id, after, job))
            else:
                read = _numbered(job, page, after, texts)
                found.append(replace(read, job=load_job(text, texts)) if text else StoredParts(None))
        return found

    async def result(self, job_id: str, call_id: str) -> tuple[Job | None, CallRecord | None, dict[str, Any]]:
        """Return one tool call of a job, and its stored result; None and nothing where there is none."""
        job, (call, stored) = await self._redis.pipeline(
            _own(job_id), ["HMGET", keys.calls_key(job_id), call_id, keys.RESULT + call_id]
        )
        texts = TreeTexts(self._redis.sealing, job_id)
        found = load_results({call_id: texts.unsealed(stored)})[call_id] if stored else {}
        return load_job(job, texts) if job else None, load_call(call, texts) if call else None, found

    async def parts_after(self, job: Job, after: int) -> tuple[str, ...]:
        """Return those parts alone, with one command: for a known job, of which nothing is expected yet."""
        try:
            page = await self._redis.execute(*_reading(job, after))
        except StoreAnswerError:
            return (await self.parts(job.id, after, job)).parts
        return _numbered(job, page, after, TreeTexts(self._redis.sealing, job.id)).parts

    async def ping(self) -> None:
        """Raise StoreError unless the store does what a job needs (`RedisConnection.try_rights`)."""
        await self._redis.try_rights()

    async def close(self) -> None:
        """Close the connection, which store and listing share."""
        await self._redis.close()


def _own(job_id: str) -> Command:
    return ["HGET", keys.state_key(job_id), f"job:{job_id}"]


def _reading(job: Job, after: int, count: int = PAGE_ENTRIES) -> Command:
    key, after = keys.parts_key(job.id), min(after, _LAST)
    if after < 0:
        return ["XREVRANGE", key, "+", "-", "COUNT", -after]
    return ["XRANGE", key, f"({job.created_at_ms}-{after}" if after else "-", "+", "COUNT", count]


def _numbered(job: Job, page: Sequence[Any], after: int, texts: TreeTexts) -> StoredParts:
    """Return a page's parts after this number. An entry has several; its id has the number of its last.

    The first part of a new job is stored nowhere (tree/writes.py): it stands before the second one, or before none.
    Raises UnreadablePayloadError: one of them cannot be opened.
    """
    rows = page if after >= 0 else page[::-1]
    parts = tuple(texts.part(part) for _, fields in rows for part in fields[1::2])
    first = int(rows[0][0].partition("-")[2]) - len(rows[0][1]) // 2 + 1 if rows else max(1, after) + 1
    if first == 2:  # noqa: PLR2004 - the second one
        first, parts = 1, (start(job.id), *parts)
    if after < 0:
        return StoredParts(job, parts[after:])
    seen = max(0, after - first + 1)
    return StoredParts(job, parts[seen:], first + seen)


async def _with_values(objects: "Objects", snapshot: Snapshot, *, whole: bool) -> Snapshot:
    """Return a job with what is kept beside its results, as it was written, and if `whole` with their own values."""
    filled = dict[str, dict[str, Any]]()
    for name, stored in snapshot.results.items():
        result = stored
        if "apart" in stored.get("kept", ()):
            result = {**stored, "kept": json.loads(await objects.get(stored["kept"]["apart"]["ref"]))}
        if whole and "apart" in stored:
            own = {name: each for name, each in result.items() if name != "apart"}
            result = {**own, "ok": json.loads(await objects.get(stored["ok"]["ref"]))}
        filled[name] = result
    return replace(snapshot, results=filled)


def _snapshot(
    job_id: str, state: Mapping[str, str], first: Sequence[str | None], stopped: str | None, texts: TreeTexts
) -> Snapshot:
    from baton.engine.commit.usage_ledger import used_by  # noqa: PLC0415 - no step reads a whole job

    sent, scored = f"message:{job_id}:", keys.score_prefix(job_id)
    found = [load_item(text, texts) for field, text in state.items() if field.startswith("item:") and text]
    items, task = sorted(found, key=_KEY), texts.readable(filter(None, first[:1]))
    snapshot = Snapshot(
        job=load_job(state[f"job:{job_id}"], texts),
        task=json.loads(task[0]) if task else {},
        items=tuple(item for item in items if item.job_id == job_id),
        slot_state=load_slot_state(state[f"slot_state:{job_id}"]) if f"slot_state:{job_id}" in state else SlotState(),
        usage=used_by(job_id, state),
        stopped=stopped not in (None, "", "0"),
        messages={
            name.removeprefix(sent).partition(":")[2]: texts.opened(text)
            for name, text in state.items()
            if name.startswith(sent)
        },
        scores=tuple(load_score(state[name], texts) for name in sorted(state) if name.startswith(scored)),
        below=sum(name.startswith(f"job:{job_id}.") for name in state),
        used_below=load_spend(state.get(f"child_usage:{job_id}", "")),
    )
    return replace(snapshot, unreadable=tuple(texts.unreadable)) if texts.unreadable else snapshot
