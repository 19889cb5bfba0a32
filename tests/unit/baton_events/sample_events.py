"""One event of each type."""

from datetime import UTC, datetime
from typing import Any

from baton_events.schema import (
    AgentLoopInit,
    AgentToolCall,
    Cancellation,
    Event,
    LoopPayload,
    Submission,
    ToolExecutionComplete,
    ToolExecutionFailed,
    ToolPayload,
)

CREATED_AT = datetime(2026, 11, 20, 9, 3, 25, 120_000, tzinfo=UTC)
HEAD: dict[str, Any] = {"id": "evt_1", "session_id": "session 1", "job_id": "job_1", "created_at": CREATED_AT}
TOOL = ToolPayload(turn=2, position=0, call_id="job_1-2-0-aaaaaaaaaa", tool="read_file", attempt=3)
SUBMISSION = Submission(job={"id": "job_1", "result": None, "a": {"b": None}}, task={"text": "x", "data": {"c": None}})

LOOP_INIT = AgentLoopInit(**HEAD, payload=LoopPayload(turn=2, attempt=3))
TOOL_CALL = AgentToolCall(**HEAD, payload=TOOL)
TOOL_COMPLETE = ToolExecutionComplete(**HEAD, payload=TOOL)
TOOL_FAILED = ToolExecutionFailed(**HEAD, payload=TOOL)
SUBMITTED = AgentLoopInit(**HEAD, payload=LoopPayload(turn=1, command=SUBMISSION))
CANCELLED = AgentLoopInit(**HEAD, payload=LoopPayload(turn=1, command=Cancellation(by="somebody")))
SLOT_REQUEST = AgentLoopInit(**HEAD, payload=LoopPayload(turn=1, slot_request=1_800_000_000_000))

EVENTS: dict[str, Event] = {
    "loop": LOOP_INIT,
    "call": TOOL_CALL,
    "complete": TOOL_COMPLETE,
    "failed": TOOL_FAILED,
    "submitted": SUBMITTED,
    "cancelled": CANCELLED,
    "slotRequest": SLOT_REQUEST,
}
