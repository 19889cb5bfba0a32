"""Details of a claimed work item beyond its tree's state: its call, the transcript, and the results that it is about.

Invariant: data that this process has is not read again; of data too large for one answer, the size alone is returned.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from baton.engine.commit.answers import ClaimResult, Committed, History
from baton.engine.commit.codec import load_call, load_results, load_values, require_open, require_readable
from baton.engine.commit.draft import Draft
from baton.engine.commit.patch import Command, Patch
from baton.engine.state import NOTHING_USED, CallRecord, Job, State, Usage, reads_history, results_needed
from baton.engine.transcript import calls_in, uncompacted
from baton.engine.work_items import ItemKind, WorkItem
from baton.store.redis import keys
from baton.store.redis.connection import RedisConnection
from baton.store.redis.texts import TreeTexts
from baton.store.redis.tree.snapshot import Transcript, results_of_calls, weight_of
from baton.store.transport.meter import charge
from baton.store.transport.redis_rest import answer_bytes
from baton_events.errors import StoreError, UnreadablePayloadError


class Details:
    """Reads that complete the answers of one patch. `draft`: of the tree after it; `texts`: of the tree.

    `transcripts`: the known ones, by job; `earlier`: those that were known at some time. `named`: a stamp stands for
    all of its history; results that came apart may be taken back, and others come, under the same stamp.
    """

    def __init__(
        self,
        answers: Sequence[Any],
        transcripts: Mapping[str, Transcript],
        draft: Draft,
        texts: TreeTexts,
        earlier: Mapping[str, Transcript],
        *,
        named: bool,
    ) -> None:
        self.transcripts, self._earlier, self._named = dict(transcripts), earlier, named
        self._draft, self._texts = draft, texts
        self.reads: list[Command] = []
        self._found: dict[tuple[str, ...], int] = {}
        for answer in answers:
            for claim_result in answer.claimed if isinstance(answer, Committed) else (answer,):
                if isinstance(claim_result, ClaimResult) and claim_result.state is not None:
                    self._request_details(claim_result.state)

    def _request_details(self, state: State) -> None:
        item, job = state.item, state.job
        if item.call_id and state.call is None:
            self._read("call", item.call_id, ["HMGET", keys.calls_key(job.id), item.call_id])
        if reads_history(item, job) and job.id not in self.transcripts:
            if not _reads_every_result(job):
                numbers = (*range(job.compacted[0]), *range(job.compacted[1], self._used(job).entries))
                fields = [f"{keys.ENTRY}{number}" for number in numbers]
                self._read("entries", job.id, ["HMGET", keys.calls_key(job.id), *fields])
            elif (beginning := self._beginning(job)) is None:
                self._read("history", job.id, ["HGETALL", keys.calls_key(job.id)])
            else:
                entries, results = self._rest_of(beginning, job)
                if entries or results:
                    self._read("rest", job.id, [*_results(job, results), *entries])
        if item.kind is ItemKind.REMEMBER:
            self._read("task", job.id, ["HMGET", keys.calls_key(job.id), f"{keys.ENTRY}0"])
        if needed := results_needed(state):
            self._read("before", item.key, _results(job, needed))

    def _read(self, name: str, of: str, command: Command) -> None:
        if (name, of) not in self._found:
            self._found[name, of] = len(self.reads)
            self.reads.append(command)

    async def complete(self, answer: Any, found: Sequence[Any], redis: RedisConnection, most_bytes: int) -> Any:
        """Return an answer with complete claims. `found`: the values read for all of them, each in a list.

        A claim of what cannot be opened here is answered by that error; one that a COMMIT made is left to who can.
        """
        self._answers, self._redis, self._most_bytes = found, redis, most_bytes
        if isinstance(answer, ClaimResult) and answer.state is not None:
            try:
                return await self._complete(answer, answer.state)
            except UnreadablePayloadError as error:
                return error
        if not isinstance(answer, Committed) or not answer.claimed:
            return answer
        claimed: list[ClaimResult] = []
        left: list[WorkItem] = []
        for each in answer.claimed:
            assert each.state is not None
            try:
                claimed.append(await self._complete(each, each.state))
            except UnreadablePayloadError:
                left.append(each.state.item)
        return replace(answer, claimed=tuple(claimed), pending=(*answer.pending, *left))

    async def _answer(self, name: str, of: str) -> tuple[Any, int]:
        """Return the value read, and 0, or None and its size; a value without room among others is read by itself."""
        number = self._found[name, of]
        value, *too_much = self._answers[number]
        if too_much and int(too_much[0]) <= self._most_bytes:
            return await self._later(*map(str, self.reads[number]))
        return value, int(too_much[0]) if too_much else 0

    async def _complete(self, claim_result: ClaimResult, state: State) -> ClaimResult:
        item, job, record = state.item, state.job, state.call
        require_open(state.outcome)
        require_readable(job, item, record, *state.dependants)
        if ("call", item.call_id) in self._found:
            record = await self._record(item.call_id)
        if item.kind is ItemKind.SLOT_REQUEST:  # the admission is told the ledger with the bill of this request
            return replace(claim_result, state=replace(state, usage=self._used(job)))
        dependants = state.dependants
        is_needed = item.kind is ItemKind.CALL and (results_needed(state) or reads_history(item, job))
        if record is state.call and item.kind in (ItemKind.COMPLETE, ItemKind.CALL) and not is_needed:
            return claim_result
        ends = record is not None and item.kind in (ItemKind.FAILED, ItemKind.WAIT)
        if record is not None and ends and len(dependants) < len(record.dependants):
            texts, size_bytes = await self._later("HMGET", keys.calls_key(job.id), *record.dependants)
            if texts is None:
                raise StoreError(f"{len(record.dependants)} calls that follow {item.call_id} have {size_bytes} bytes")
            dependants = tuple(load_call(text, self._texts) for text in texts if text)
            require_readable(*dependants)
        history = await self._history(state)
        return replace(claim_result, state=replace(state, call=record, dependants=dependants), history=history)

    async def _record(self, call_id: str) -> CallRecord | None:
        texts, size_bytes = await self._answer("call", call_id)
        if texts is None:
            raise StoreError(f"the call {call_id} has {size_bytes} bytes")
        record = load_call(texts[0], self._texts) if texts[0] else None
        require_readable(record)
        return record

    async def _history(self, state: State) -> History:
        item, job = state.item, state.job
        if reads_history(item, job):
            return await self._read_history(job)
        if item.kind is ItemKind.REMEMBER:
            found, size_bytes = await self._answer("task", job.id)
            entries = self._texts.open_each(filter(None, found or ()))
            return History(tuple(map(json.loads, entries)), size_bytes=size_bytes or sum(map(len, entries)))
        if needed := results_needed(state):
            texts, size_bytes = await self._answer("before", item.key)
            if texts is None:
                return History(size_bytes=size_bytes)
            results = self._opened(needed, texts)
            return History(results=load_results(results), size_bytes=weight_of(results.values()))
        return History()

    async def _read_history(self, job: Job) -> History:
        if (known := self.transcripts.get(job.id)) is not None:
            return history_of(known, job)
        if not _reads_every_result(job):
            return await self._uncompacted_history(job)
        if (beginning := self._beginning(job)) is not None:
            return await self._continued_history(job, beginning)
        found, too_much = await self._answer("history", job.id)
        if too_much:
            found, too_much = await self._without_calls(job)
        stored = as_dict(found or ())
        kept, entries = results_of_calls(results_in(stored)), tuple(self._texts.open_each(entries_in(stored)))
        results = self._opened(kept, kept.values())
        size_bytes = weight_of(entries) + weight_of(results.values())
        if too_much or size_bytes > self._most_bytes:
            return History(size_bytes=too_much + size_bytes)
        known = self.transcripts[job.id] = Transcript(entries, results, size_bytes, stamp=self._stamp_of(job))
        return history_of(known, job)

    def _used(self, job: Job) -> Usage:
        return self._draft.usage.get(job.id, NOTHING_USED)

    def _stamp_of(self, job: Job) -> str:
        return self._used(job).stamp.rpartition(",")[2] if self._named else ""

    def _beginning(self, job: Job) -> Transcript | None:
        known = self._earlier.get(job.id)
        return known if known is not None and known.begins(self._used(job)) else None

    def _rest_of(self, beginning: Transcript, job: Job) -> tuple[list[str], list[str]]:
        """Return the fields of the entries that follow, and the calls that may have a result by now."""
        entries = range(len(beginning.entries), self._used(job).entries)
        return [f"{keys.ENTRY}{number}" for number in entries], self._ended_calls(beginning)

    def _ended_calls(self, known: Transcript) -> list[str]:
        """Return the calls of a history without a result there that do not wait for a run."""
        waiting = {item.call_id for item in self._draft.items.values() if item.kind is ItemKind.CALL}
        return [name for name in known.open_calls() if name not in waiting]

    async def _continued_history(self, job: Job, known: Transcript) -> History:
        """Return a history of which this process knows the beginning, with what has come since."""
        entries, results = self._rest_of(known, job)
        texts, size_bytes = await self._answer("rest", job.id) if entries or results else ((), 0)
        if texts is None:
            return History(size_bytes=known.size_chars + size_bytes)
        new = self._texts.open_each(filter(None, texts[len(results) :]))
        known = known.more(new, self._opened(results, texts[: len(results)]), self._stamp_of(job))
        if further := [name for name in self._ended_calls(known) if name not in results] if new else ():
            texts, size_bytes = await self._later(*_results(job, further))
            if texts is None:
                return History(size_bytes=known.size_chars + size_bytes)
            known = known.more((), self._opened(further, texts), known.stamp)
        if known.size_chars > self._most_bytes:
            return History(size_bytes=known.size_chars)
        self.transcripts[job.id] = known
        return history_of(known, job)

    async def _uncompacted_history(self, job: Job) -> History:
        """Return the history of a transcript that was read without its compacted range."""
        found, too_much = await self._answer("entries", job.id)
        if too_much:
            return History(size_bytes=too_much)
        entries = self._texts.open_each(filter(None, found or ()))
        values = load_values(entries)
        names = calls_in(tuple(values))
        texts, size_bytes = await self._later(*_results(job, names)) if names else ((), 0)
        if texts is None:
            return History(size_bytes=size_bytes + weight_of(entries))
        results = self._opened(names, texts)
        size_bytes = weight_of(entries) + weight_of(results.values())
        if size_bytes > self._most_bytes:
            return History(size_bytes=size_bytes)
        return History(tuple(values), load_results(results), job.compacted, size_bytes)

    def _opened(self, names: Iterable[str], texts: Iterable[str | None]) -> dict[str, str]:
        return {name: self._texts.unsealed(text) for name, text in zip(names, texts, strict=True) if text}

    async def _without_calls(self, job: Job) -> tuple[dict[str, str], int]:
        """Read a job's transcript and results without the calls beside them; return them and 0, or their size."""
        key = keys.calls_key(job.id)
        names, too_much = await self._later("HKEYS", key)
        fields = [name for name in names or () if not keys.is_call(name)]
        texts, too_much = await self._later("HMGET", key, *fields) if fields else ((), too_much)
        return dict(zip(fields, texts or (), strict=not too_much)), too_much

    async def _later(self, *command: str) -> tuple[Any, int]:
        """Read this in a request of its own; return the value and 0, or None and its size."""
        patch = Patch(self._most_bytes)
        patch.read([command])
        size_bytes = patch.size_bytes()
        commands, _, found = await self._redis.apply(*patch.request())
        charge(requests=1, commands=commands, size_bytes=size_bytes + answer_bytes(found))
        [(value, *too_much)] = found
        return value or None, int(too_much[0]) if too_much else 0


def _results(job: Job, names: Iterable[str]) -> list[str]:
    return ["HMGET", keys.calls_key(job.id), *(keys.RESULT + name for name in names)]


def results_in(calls: Mapping[str, str]) -> dict[str, str]:
    """Return the results among the fields of a job's calls, by call id."""
    return {name.removeprefix(keys.RESULT): text for name, text in calls.items() if name.startswith(keys.RESULT)}


def entries_in(calls: Mapping[str, str]) -> tuple[str, ...]:
    """Return the transcript's entries among the fields of a job's calls, in their order."""
    count = sum(name.startswith(keys.ENTRY) for name in calls)
    return tuple([calls[f"{keys.ENTRY}{number}"] for number in range(count)])


def as_dict(answer: Any) -> dict[str, str]:
    """Return the fields of a hash: a script answers them flat, the SDK makes a dict of its answer."""
    return dict(answer) if isinstance(answer, Mapping) else dict(zip(answer[::2], answer[1::2], strict=True))


def _reads_every_result(job: Job) -> bool:
    """Return whether a history needs all results; results of a script's calls are for the script."""
    return job.compacted == (0, 0) and not job.stretches


def history_of(known: Transcript, job: Job) -> History:
    """Return the whole history, without its compacted range."""
    if _reads_every_result(job):
        return History(*known.values(), (0, 0), known.size_chars, known.memo)
    texts = uncompacted(known.entries, job.compacted)
    values = tuple(load_values(texts))
    named = frozenset(calls_in(values))
    needed = {name: text for name, text in known.results.items() if name in named}
    return History(values, load_results(needed), job.compacted, weight_of(texts) + weight_of(needed.values()))
