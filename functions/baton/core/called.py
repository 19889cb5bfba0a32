"""The work item of a tool call, made from its record alone: a call that runs again is the same call."""

from baton.core.state import CallRecord
from baton.core.work_items import ItemKind, WorkItem, tool_key, turn_group


def call_item(job_id: str, record: CallRecord, attempt: int, now_ms: int) -> WorkItem:
    """The work item of this attempt of a call."""
    return WorkItem(
        key=tool_key(ItemKind.CALL, record.id, attempt),
        kind=ItemKind.CALL,
        job_id=job_id,
        turn=record.turn,
        attempt=attempt,
        position=record.position,
        call_id=record.id,
        tool=record.tool,
        group=turn_group(job_id, record.turn),
        after=",".join(record.after.values()) if record.after else "",
        step=record.step,
        isolated=record.isolated,
        since_ms=now_ms,
    )
