"""One event of each type."""

from datetime import UTC, datetime

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
HEAD = {"id": "evt_1", "session_id": "session 1", "job_id": "job_1", "created_at": CREATED_AT}
TOOL = ToolPayload(turn=2, position=0, call_id="job_1-2-0-aaaaaaaaaa", tool="read_file", attempt=3)
SUBMISSION = Submission(job={"id": "job_1", "result": None, "a": {"b": None}}, task={"text": "x", "data": {"c": None}})

LOOP_INIT = AgentLoopInit.model_validate({**HEAD, "payload": LoopPayload(turn=2, attempt=3)})
TOOL_CALL = AgentToolCall.model_validate({**HEAD, "payload": TOOL})
TOOL_COMPLETE = ToolExecutionComplete.model_validate({**HEAD, "payload": TOOL})
TOOL_FAILED = ToolExecutionFailed.model_validate({**HEAD, "payload": TOOL})
SUBMITTED = AgentLoopInit.model_validate({**HEAD, "payload": LoopPayload(turn=1, command=SUBMISSION)})
CANCELLED = AgentLoopInit.model_validate({**HEAD, "payload": LoopPayload(turn=1, command=Cancellation(by="somebody"))})
SLOT_REQUEST = AgentLoopInit.model_validate({**HEAD, "payload": LoopPayload(turn=1, slot_request=1_800_000_000_000)})

EVENTS: dict[str, Event] = {
    "loop": LOOP_INIT,
    "call": TOOL_CALL,
    "complete": TOOL_COMPLETE,
    "failed": TOOL_FAILED,
    "submitted": SUBMITTED,
    "cancelled": CANCELLED,
    "slotRequest": SLOT_REQUEST,
}
