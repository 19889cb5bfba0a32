"""The leg of a tool call that is to be made: from its record alone, so that a call that runs again is the same call."""

from baton.core.legs import Leg, LegKind, tool_key, turn_group
from baton.core.state import CallRecord


def call_leg(job_id: str, record: CallRecord, attempt: int, now_ms: int) -> Leg:
    """The leg of this attempt of a call."""
    return Leg(
        key=tool_key(LegKind.CALL, record.id, attempt),
        kind=LegKind.CALL,
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
