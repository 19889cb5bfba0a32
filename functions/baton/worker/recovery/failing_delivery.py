"""The queue's log of a job whose message does not arrive, for people who ask why it stands still. Reads only."""

from msgspec.structs import replace

from baton.engine.work_items import WorkItem
from baton.queue.ports import LogEntry, QueueRecords
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
