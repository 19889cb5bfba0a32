"""Reads the earlier exchanges of a session from its jobs.

Invariant: what is told of a job is as new as its end, which has let the next job begin: an older read is repeated. Must
not: write anything.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from baton.engine.all_jobs.job_list import Query
from baton.engine.state import Job
from baton.engine.transitions import JobStatus
from baton.sdk.memory.entries import question_of
from baton.sdk.records.transcript import messages_in, turns_of
from baton.store.records.jobs import Snapshot
from baton.store.redis.listing import Listing
from baton.store.redis.reader import Reader
from baton.store.redis.store import Store
from baton.worker.conversation.exchanges import (
    EXCHANGES,
    OUTCOME,
    REPLACED,
    Exchange,
    continued_owner,
    ends_early,
    exchange_of,
    fitting,
    is_refused,
    is_rolled_back,
    lines_of,
    order,
    replaced_by,
    still_valid,
)
from baton.worker.conversation.fitting import cut
from baton_events.errors import StoreError, UnreadablePayloadError

# Builds the messages of a job with these turns, as `Runner.messages` does.
MessagesOf = Callable[[Sequence[dict[str, Any]], Mapping[str, dict[str, Any]]], str]

# Of the calls of one job, and of an operation's outcome.
_CALLS_BYTES = 24_000
# Replaced jobs are found as well.
_ROWS = 2 * EXCHANGES
# So often what was before a replaced job is read, where that is not among the newest ones.
_MOST_READS = 4


class EarlierJobs:
    def __init__(self, listing: Listing, reader: Reader, store: Store) -> None:
        self._listing, self._reader, self._store = listing, reader, store

    async def before(
        self, job: Job, task: Mapping[str, Any], messages_of: MessagesOf | None = None
    ) -> tuple[Exchange, ...]:
        """Read the session's exchanges before this job, the oldest first; with whole messages, if these can be made.

        Raises StoreError: the store does not answer.
        """
        found = await self._newest(job, task)
        if lost := [key_id for one in found.values() for key_id in one.unreadable]:
            raise UnreadablePayloadError(lost[0])
        # Rows distinguish sessions only by a short mark.
        of_session = [
            one for one in found.values() if (one.job.tenant, one.job.session_id) == (job.tenant, job.session_id)
        ]
        earlier = sorted((one for one in of_session if order(one.job) < order(job)), key=lambda one: order(one.job))
        # The job that this one replaces is replaced with all jobs after it.
        valid = still_valid([*((one.job.id, one.task, one.job.id) for one in earlier), (job.id, task, job.id)])
        now = [await self._ended(one) for one in earlier]
        kept = [one for one in now if _is_kept(one, now)]
        shown = [one for one in kept if one.job.id in valid and not is_rolled_back(one.job)][-EXCHANGES:]
        newest, having = [one.job.id for one in shown], _with_results(shown)
        # Before a refusal, texts are told: what was refused may stand in whole messages, such as a tool's picture.
        refusals = [at for at, one in enumerate(kept) if is_refused(one.job)]
        whole = {one.job.id for one in kept[max(refusals, default=-1) + 1 :]}

        async def made(one: Snapshot) -> Exchange | None:
            if is_rolled_back(one.job):
                return Exchange(one.job.id, cut(question_of(one.task), _CALLS_BYTES), None, OUTCOME)
            if one.job.id in newest:
                with_calls, makes = ends_early(one.job) or one.job.id in having, messages_of
                return await self._exchange(one, makes if one.job.id in whole else None, with_calls=with_calls)
            return exchange_of(one) if one.job.id in valid else await self._replaced(one)

        return tuple([one for one in await asyncio.gather(*map(made, kept)) if one is not None])

    async def _newest(self, job: Job, task: Mapping[str, Any]) -> dict[str, Snapshot]:
        """Read the newest jobs before this one; where an older one is replaced, also those before that.

        All between the replaced job and the newest ones are replaced with it.
        """
        found, before_ms = dict[str, Snapshot](), job.created_at_ms + 1
        for _ in range(_MOST_READS):
            query = Query(tenant=job.tenant, session_id=job.session_id, before_ms=before_ms)
            scanned = await self._listing.scan(query, "", _ROWS)
            found |= await self._reader.jobs([row.job_id for row in scanned.found])
            replaced = {replaced_by(each) for each in (task, *(one.task for one in found.values()))}
            if not (missing := replaced - {"", *found}) or not (older := await self._reader.jobs(sorted(missing))):
                break
            found |= older
            before_ms = min(one.job.created_at_ms for one in older.values()) + 1
        return found

    async def _exchange(self, one: Snapshot, messages_of: MessagesOf | None, *, with_calls: bool) -> Exchange:
        messages = await self._messages(one.job, messages_of) if messages_of else None
        calls = await self._calls(one.job) if with_calls else ()
        more = () if messages else await self._sent(one)
        return exchange_of(one, messages or "", more, calls)

    async def _replaced(self, one: Snapshot) -> Exchange | None:
        """Return an exchange of a replaced job's calls alone, and of the outcome that it told; None: there is none."""
        outcome = (f"- {cut(question_of(one.task), _CALLS_BYTES)}",) if continued_owner(one.task) else ()
        calls = (*outcome, *await self._calls(one.job))
        return Exchange(one.job.id, "", None, REPLACED, calls=calls) if calls else None

    async def _calls(self, job: Job) -> tuple[str, ...]:
        """Tell a job's calls.

        Raises StoreError: the read is older than the job's end, so that a call may be missing. It is repeated.
        """
        snapshot = await self._reader.job(job.id)
        if snapshot is None:
            return ()
        if job.ended and (not snapshot.job.ended or snapshot.job.run < job.run):
            raise StoreError(f"reads do not show the end of job {job.id!r} yet")
        return fitting(await lines_of(snapshot, self._reader.job), _CALLS_BYTES)

    async def _sent(self, snapshot: Snapshot) -> list[str]:
        if not snapshot.messages:
            return []
        return [text for _, text in messages_in(await self._reader.transcript(snapshot.job.id))]

    async def _messages(self, job: Job, messages_of: MessagesOf) -> str | None:
        """Return a job's messages; None: calls have no answer, or the read is older than the job's last turn."""
        if ends_early(job):
            return None
        turns = turns_of(await self._reader.transcript(job.id), job.first_turn)
        if not turns or turns[-1]["turn"] != job.turn:
            return None
        try:
            return messages_of(turns, {})
        except LookupError:  # the calls' results have more: a large file is stored once
            snapshot = await self._reader.job(job.id, kept=True)
            return messages_of(turns, snapshot.results) if snapshot else None

    async def _ended(self, snapshot: Snapshot) -> Snapshot:
        """Return the job as it ended: a read may be older than the end that let the next job begin; a load is not."""
        if snapshot.job.ended:
            return snapshot
        loaded = await self._store.load(snapshot.job.id)
        return replace(snapshot, job=loaded.job) if loaded else snapshot


def _with_results(shown: Sequence[Snapshot]) -> set[str]:
    """Return the last answer to a user that had calls beside it, with what an operation has brought since."""
    found = set[str]()
    for one in reversed(shown):
        if ends_early(one.job):
            continue
        if one.job.used.tool_calls:
            found.add(one.job.id)
        if not continued_owner(one.task):
            break
    return found


def _is_kept(one: Snapshot, all_jobs: Sequence[Snapshot]) -> bool:
    """Return whether anything of a job is told: of one that was rolled back, an outcome that its owner still has."""
    if not is_rolled_back(one.job):
        return not one.job.is_operation or one.job.status is JobStatus.CANCELLED  # else a job of its own continues it
    owner = continued_owner(one.task)
    return bool(owner) and all(other.job.id != owner or not is_rolled_back(other.job) for other in all_jobs)
