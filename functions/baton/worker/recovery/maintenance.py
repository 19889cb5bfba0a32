"""Periodic work, caused by the messages that arrive at the sweep's endpoint; and pruning of the lists.

A sweep checks jobs without progress, then reads the stream of outcomes, and each hour prunes the lists. The message of
a waiting operation reads the stream alone, one of an outage checks the store alone, one that continues pruning prunes
alone. A row goes only when its job is unknown and so old that it cannot come back; a run of pruning is bounded in time,
and a message continues it. Must not: decide what a sweep does.
"""

import json
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from baton.engine.all_jobs.job_list import Found, is_position
from baton.engine.commit.answers import LEAST_TOMBSTONE_MS
from baton.engine.effects import REPLAYED, SWEPT_PAGES
from baton.queue.dispatch import Outcome
from baton.sdk.clock import Clock
from baton.store.records.objects import place_of_row
from baton.store.redis.agent_memory import Chats
from baton.store.redis.archive import Archive
from baton.store.redis.listing import Listing
from baton.store.redis.reader import Reader
from baton.store.redis.totals import Counters, count
from baton.worker.commands.operation_stream import LAST_POLL, OperationOutcomes, Poll
from baton.worker.recovery.outage import StoreAway
from baton.worker.recovery.sweep import Sweep, read_page
from baton_events.emitter import Emitter
from baton_events.errors import MalformedEventError, ObjectStoreError, PublishError
from baton_events.ids import is_child
from baton_events.schema import SWEEP_ENDPOINT

if TYPE_CHECKING:
    from baton.store.objects import Objects

_log = logging.getLogger("baton.pruning")

PAGE_ROWS = 250
# The time of one run: well within the limit of the sweep's function.
RUN_MS = 15_000
_HOUR_MS = 3_600_000


class ObjectPruning:
    """Deletes the objects of jobs and sessions whose data has expired. An object store that is away is asked later."""

    def __init__(self, objects: "Objects", archive: Archive, chats: Chats) -> None:
        self._objects, self._archive, self._chats = objects, archive, chats

    async def without(self, gone: Sequence[Found], before_ms: int) -> list[Found]:
        """Return the rows of these jobs that have no objects any more: their rows go after them.

        A job without data is gone for good once it has a tombstone. One without that may still be brought back, unless
        it is from before the time for which tombstones are kept.
        """
        return [row for row in gone if await self._is_without(row, before_ms)]

    async def _is_without(self, row: Found, before_ms: int) -> bool:
        if is_child(row.job_id):
            return True
        try:
            if row.created_ms >= before_ms and await self._archive.tombstone(row.job_id) is None:
                return False
            await self._objects.delete_below(place_of_row(row))
        except ObjectStoreError as error:
            _log.warning("the objects of job %s are deleted later: %s", row.job_id, error)
            return False
        return True

    async def prune_sessions(self, now_ms: int) -> None:
        """Delete the objects of sessions whose files have expired."""
        try:
            await self._chats.prune_apart(now_ms)
        except ObjectStoreError as error:
            _log.warning("the objects of expired sessions are deleted later: %s", error)


class Pruning:
    """Removes rows without a job."""

    def __init__(self, listing: Listing, reader: Reader, emitter: Emitter, clock: Clock, retention_ms: int) -> None:
        self._listing, self._reader, self._emitter, self._clock = listing, reader, emitter, clock
        self._retention_ms = retention_ms
        self.objects: ObjectPruning | None = None

    async def prune(self, after: str = "") -> int:
        """Prune rows older than an ended job's data, from this position on; return how many jobs were forgotten."""
        began_ms, forgotten = self._clock.now_ms(), 0
        while True:
            scanned = await self._listing.old(after, began_ms - self._retention_ms - _HOUR_MS, PAGE_ROWS)
            known = await self._reader.known([row.job_id for row in scanned.found])
            gone = [row for row in scanned.found if row.job_id not in known]
            if self.objects is not None:
                gone = await self.objects.without(gone, began_ms - 2 * self._retention_ms - LEAST_TOMBSTONE_MS)
            await self._listing.forget(gone)
            forgotten, after = forgotten + len(gone), scanned.next
            if not after:
                break
            if self._clock.now_ms() - began_ms >= RUN_MS:
                await self._continue_by_message(after)
                break
        if self.objects is not None and not after:
            await self.objects.prune_sessions(began_ms)
        if forgotten:
            _log.info("%d job(s) without data left the lists", forgotten)
        return forgotten

    async def _continue_by_message(self, after: str) -> None:
        try:
            body = json.dumps({"pruneAfter": after})
            await self._emitter.emit_to(SWEEP_ENDPOINT, body, deduplication_id=f"prune.{after.replace(':', '.')}")
        except PublishError as error:
            _log.warning("the lists are pruned further by the next hourly sweep only: %s", error)


def read_away_ms(body: bytes) -> int:
    """Parse the time for which a check of the store was armed; 0: the message requests something else."""
    return _numbers(body, "awayMs")[0]


def read_poll(body: bytes) -> Poll | None:
    """Parse the poll of the stream of outcomes that was armed; None: the message requests something else.

    A message of an earlier version is the last of its polls: that version armed one each minute.
    """
    slot_ms, number = _numbers(body, "operationsMs", "poll")
    return Poll(slot_ms, number) if slot_ms else None


def _numbers(body: bytes, name: str, other: str = "") -> tuple[int, int]:
    """Parse a number of the body, or 0, and the number of polls so far; without that it is the last one."""
    try:
        document: Any = json.loads(body) if body else {}
        if not isinstance(document, dict):
            return 0, 0
        return int(document.get(name, 0)), min(LAST_POLL, int(document.get(other, LAST_POLL)))
    except (ValueError, TypeError, RecursionError) as error:
        raise MalformedEventError(f"not a body for this endpoint: {body[:100]!r}") from error


def read_prune_after(body: bytes) -> str:
    """Parse the position from which pruning continues; empty: the message requests something else."""
    document: Any = json.loads(body) if body else {}
    after = str(document.get("pruneAfter", "")) if isinstance(document, dict) else ""
    if after and not is_position(after):
        raise MalformedEventError(f"no position to prune from: {after[:100]!r}")
    return after


class Maintenance:
    """Does the work that a message of the sweep's endpoint requests."""

    def __init__(
        self, sweep: Sweep, outcomes: OperationOutcomes, pruning: Pruning, counters: Counters, away: StoreAway
    ) -> None:
        self._sweep, self._away, self._outcomes, self._pruning = sweep, away, outcomes, pruning
        self._counters = counters

    async def handle(self, body: bytes, relay_id: str, replay: str, *, again: bool) -> Outcome:
        """Handle one message, as for a sweep."""
        away_ms = read_away_ms(body)
        if away_ms:
            return await self._away.check(away_ms)
        check = read_poll(body)
        if check:
            return Outcome("looked", await self._outcomes.poll(check))
        prune_after = read_prune_after(body)
        if prune_after:
            return Outcome("pruned", await self._pruning.prune(prune_after))
        page = read_page(body)
        swept = await self._sweep.handle(page, relay_id, replay, again=again)
        if not page.after:
            await self._outcomes.poll()
        if not page.due_ms and not page.after:  # the hourly backstop
            await self._pruning.prune()
        await count(self._counters, {SWEPT_PAGES: 1, **({REPLAYED: swept.dispatched} if swept.dispatched else {})})
        return swept
