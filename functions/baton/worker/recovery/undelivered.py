"""Messages that do not arrive: the queue's dead letters, page after page, and its log of a job that stands still.

Failure callbacks among the dead letters are delivered again: an outage outlasted their retries. The subject of such a
message is then known to the dead letters alone: the admission may have forgotten the job, and a sweep goes by its slot
table. The log is for people who ask, and is only read.
"""

import logging
from itertools import count

from msgspec.structs import replace

from baton.engine.work_items import WorkItem
from baton.queue.ports import DeadLetter, LogEntry, QueueRecords
from baton.sdk.records.transcript import FOREVER_MS
from baton.store.records.jobs import FailingDelivery, Snapshot
from baton_events.errors import PublishError
from baton_events.timestamps import rfc3339

# A job that is on time costs no request to the queue.
_LATE_MS = 5_000
_ENTRIES = 100
_FAILING, _GIVEN_UP = ("ERROR", "RETRY"), "FAILED"


async def with_failing_delivery(snapshot: Snapshot, records: QueueRecords, now_ms: int) -> Snapshot:
    """Add the failing delivery of a job with an overdue work item; a queue that does not answer adds nothing."""
    if snapshot.job.ended or not any(_is_late(item, now_ms) for item in snapshot.items):
        return snapshot
    try:
        page = await records.log(label=snapshot.job.id, limit=_ENTRIES)
    except PublishError:
        return snapshot
    return replace(snapshot, failing=_failing(page.entries))


def _is_late(item: WorkItem, now_ms: int) -> bool:
    due_ms = max(item.not_before_ms, item.since_ms)
    return item.lease_until_ms <= now_ms and due_ms < FOREVER_MS and due_ms + _LATE_MS <= now_ms


def _failing(entries: tuple[LogEntry, ...]) -> FailingDelivery | None:
    """Return the newest message whose last attempt failed; one that was given up counts until another follows."""
    newest: dict[str, LogEntry] = {}
    for entry in entries:
        newest.setdefault(entry.message.id, entry)
    for place, (message_id, last) in enumerate(newest.items()):
        if last.state in _FAILING or (last.state == _GIVEN_UP and not place):
            failed = [one for one in entries if one.message.id == message_id and one.state in ("ERROR", _GIVEN_UP)]
            return FailingDelivery(message_id, _text(last, failed))
    return None


def _text(last: LogEntry, failed: list[LogEntry]) -> str:
    status = next((one.status for one in failed if one.status), 0)
    answer = f"the last with {status}" if status else "the last without an answer"
    times = f"{len(failed)} attempts failed, {answer}" if len(failed) > 1 else f"an attempt failed, {answer[9:]}"
    if last.state == _GIVEN_UP:
        return f"its message {last.message.id}, which the queue has given up on: {times}; replay it or the job"
    until = f"; the next one is at {rfc3339(last.next_ms)}" if last.next_ms else ""
    return f"its message {last.message.id} to be delivered: {times}{until}"


async def all_dead_letters(
    records: QueueRecords, *, url: str = "", most_pages: int | None = None
) -> tuple[list[DeadLetter], bool]:
    """Return those for this address, or all, of `most_pages` pages at most; and whether there are more.

    Raises PublishError: the queue does not answer.
    """
    letters: list[DeadLetter] = []
    cursor = ""
    for number in count(1):
        page = await records.dead_letters(url=url, cursor=cursor)
        letters += page.letters
        cursor = page.cursor
        if not cursor or number == most_pages:
            break
    return letters, bool(cursor)


_log = logging.getLogger("baton.sweep")

REFUSED_STATUS = 489  # the endpoint will never take it: it stays for a person


class DeadCallbacks:
    """The dead letters for `url`, the endpoint of failure callbacks."""

    def __init__(self, records: QueueRecords, url: str) -> None:
        self._records, self._url = records, url

    async def revive(self) -> int:
        """Have them delivered again, with fresh retries; return how many.

        Raises PublishError: the queue does not list them, or does not take them; the caller's message comes again.
        """
        letters, _ = await all_dead_letters(self._records, url=self._url)
        dead = [letter.id for letter in letters if letter.status != REFUSED_STATUS]
        revived = await self._records.retry(dead) if dead else 0
        if revived:
            _log.warning("%d failure callback(s) had used up their retries, and are delivered again", revived)
        return revived
