"""Steps of a plan: their order, and the fate of the steps after one that failed.

Invariant: a step's work item exists from the plan on, and is due when no work item of an earlier step is left. So the
open steps always follow from the records.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from baton.engine import stream_parts
from baton.engine.effects import Skip
from baton.engine.state import CallRecord
from baton.engine.transitions import CallStatus, Step, next_call_status
from baton.engine.work_items import ItemKind, tool_key
from baton.sdk.records.transcript import Failure, Wanted
from baton_events.ids import canonical_json


def in_order(records: tuple[CallRecord, ...], wanted: Sequence[Wanted]) -> tuple[CallRecord, ...]:
    """Return a turn's calls, each with the steps before and after it; calls that are no steps stay as they are."""
    ids = {record.step: record.id for record in records if record.step}
    if not ids:
        return records
    direct = {
        record.id: {name: ids[name] for name in call.depends_on if name in ids}
        for record, call in zip(records, wanted, strict=True)
    }
    return tuple(
        replace(record, after=direct[record.id], dependants=_dependants(record.id, direct)) for record in records
    )


def _dependants(call_id: str, direct: dict[str, dict[str, str]]) -> tuple[str, ...]:
    found, new = set[str](), {call_id}
    while new:
        new = {other for other, before in direct.items() if not new.isdisjoint(before.values())} - found
        found |= new
    return tuple(sorted(found))


def skipping(failed: CallRecord, dependants: Sequence[CallRecord], now_ms: int) -> tuple[Skip, ...]:
    """Return the skips of all steps after a failed one, where its `on_failure` says so."""
    if failed.on_failure not in ("skip", "replan"):
        return ()
    error = Failure("skipped", f"step {failed.step!r}, which comes before it, failed")
    text = canonical_json({"error": {"type": error.type, "message": error.message}})
    skipped = (
        replace(record, status=next_call_status(record.status, Step.CANCEL), error=error, finished_at_ms=now_ms)
        for record in dependants
        if record.status is CallStatus.QUEUED
    )
    return tuple(
        Skip(
            tool_key(ItemKind.CALL, record.id, 1),
            record,
            text,
            (stream_parts.tool_error(record.id, error), *stream_parts.step_completed(record)),
        )
        for record in skipped
    )
