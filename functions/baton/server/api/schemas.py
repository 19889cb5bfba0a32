"""The JSON of the API's answers, as JSON Schema: the fields that CONTRACT names. Unlisted fields may come later."""

from typing import Any

from baton.engine.transitions import CallStatus, JobStatus
from baton.server.api.admin.schemas import ADMIN_SCHEMAS
from baton.server.api.admin.schemas import ANY as _ANY
from baton.server.api.admin.schemas import FAULT as _FAULT
from baton.server.api.admin.schemas import TEXT as _TEXT
from baton.server.api.admin.schemas import TEXT_OR_NULL as _TEXT_OR_NULL
from baton.server.api.admin.schemas import TIME as _TIME
from baton.server.api.admin.schemas import TIME_OR_NULL as _TIME_OR_NULL
from baton.server.api.admin.schemas import USD as _USD
from baton.server.api.admin.schemas import WHOLE as _WHOLE
from baton.server.api.admin.schemas import json_object as _object
from baton.server.api.admin.schemas import ref as _ref
from baton.server.api.admin.schemas import rows as _rows
from baton.server.api.problem import Code

# `partial`: the text of an answer that was cut off.
_OBJECT_OR_NULL = {"type": ["object", "null"]}
_JOB_FAULT = _object({"type": _TEXT, "message": _TEXT, "partial": _TEXT}, optional=("partial",))
PROBLEM = _object(
    {
        "type": {"type": "string", "format": "uri-reference"},
        "title": _TEXT,
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "code": {"enum": [code.name for code in Code]},
        "detail": _TEXT,
        "errors": {"type": "array", "items": _object({"field": _TEXT, "message": _TEXT})},
    },
    optional=("errors",),
)

TOOL_CALL = _object(
    {
        "id": _TEXT,
        "tool": _TEXT,
        "arguments": _OBJECT_OR_NULL,
        "status": {"enum": [status.value for status in CallStatus]},
        "attempts": _WHOLE,
        "startedAt": _TIME_OR_NULL,
        "finishedAt": _TIME_OR_NULL,
        "result": _ANY,
        "resultRef": _object(
            {"url": _TEXT, "sizeBytes": {"type": "integer"}, "mediaType": _TEXT, "digest": _TEXT, "preview": _TEXT},
            optional=("digest", "preview"),
        ),
        "error": _FAULT,
        "operationId": _TEXT,
        "childJobId": _TEXT,
        "scriptCallId": _TEXT,
        "step": _TEXT,
        "dependsOn": {"type": "array", "items": _TEXT},
    },
    optional=("result", "resultRef", "error", "operationId", "childJobId", "scriptCallId", "step", "dependsOn"),
)

USAGE = _object(
    {
        "inputTokens": _WHOLE,
        "outputTokens": _WHOLE,
        "cachedInputTokens": _WHOLE,
        "modelCalls": _WHOLE,
        "cachedCalls": _WHOLE,
        "messages": _WHOLE,
        "deliveries": _WHOLE,
        "redisRequests": _WHOLE,
        "redisCommands": _WHOLE,
        "redisBytes": _WHOLE,
        "streamAppends": _WHOLE,
        "functionMs": _WHOLE,
        "gbSeconds": {"type": "number", "minimum": 0},
        "costUsd": _USD,
    }
)

COST = _object(dict.fromkeys(("queueUsd", "redisUsd", "functionsUsd", "modelUsd", "totalUsd"), _USD))

# A turn, or a call in it, which has the other two.
STEP = _object(
    {"turn": _WHOLE, "callId": _TEXT_OR_NULL, "tool": _TEXT_OR_NULL, "usage": _ref("Usage"), "cost": _ref("Cost")}
)

SCORE = _object(
    {"name": _TEXT, "value": {"type": ["number", "boolean"]}, "comment": _TEXT_OR_NULL, "createdAt": _TIME, "by": _TEXT}
)

JOB = _object(
    {
        "id": _TEXT,
        "jobType": _TEXT,
        "agentVersion": _TEXT_OR_NULL,
        "taskDescription": _TEXT_OR_NULL,
        "inputData": _OBJECT_OR_NULL,
        "priority": {"type": "integer", "minimum": 0, "maximum": 9},
        "tags": {"type": "array", "items": _TEXT},
        "sessionId": _TEXT,
        "parentJobId": _TEXT_OR_NULL,
        "status": {"enum": [status.value for status in JobStatus]},
        "waitingFor": _TEXT_OR_NULL,
        "result": _ANY,
        "error": {"anyOf": [_JOB_FAULT, {"type": "null"}]},
        "createdAt": _TIME,
        "updatedAt": _TIME,
        "startedAt": _TIME_OR_NULL,
        "finishedAt": _TIME_OR_NULL,
        "memory": {"type": ["object", "null"]},
        "turns": _WHOLE,
        "toolCalls": {"type": "array", "items": _ref("ToolCall")},
        "scores": {"type": "array", "items": _ref("Score")},
        "usage": _ref("Usage"),
        "cost": _ref("Cost"),
        "steps": {"type": "array", "items": STEP},
        "besideSteps": _object({"usage": _ref("Usage"), "cost": _ref("Cost")}),
        "continues": _object({"jobId": _TEXT, "operationId": _TEXT}),
        "forkedFrom": _object({"jobId": _TEXT, "turn": _WHOLE}),
        "unreadable": _object({"keyIds": {"type": "array", "items": _TEXT}}),
    },
    # With `?steps=true`; of a job that continues its session; of a fork; where keys of PAYLOAD_KEYS are not there.
    optional=("steps", "besideSteps", "continues", "forkedFrom", "unreadable"),
)

# A job's turn: `turn`, `text`, `calls`, `usage`, `cost`.
_TURN = {"type": ["object", "null"]}
_CHANGE = {"enum": ["same", "changed", "added", "removed"]}
_TURNS = {"type": "array", "items": _object({"turn": _WHOLE, "change": _CHANGE, "left": _TURN, "right": _TURN})}

DIFF = _object({"left": {"type": "object"}, "right": {"type": "object"}, "turns": _TURNS})

JOBS = _object(
    {"jobs": {"type": "array", "items": {"type": "object"}}, "cursor": _TEXT, "lookedBackTo": _TIME},
    # With older jobs; of a page with fewer jobs than its limit.
    optional=("cursor", "lookedBackTo"),
)

CHECKPOINT = _object(
    {
        "id": _TEXT,
        "jobId": _TEXT,
        "callId": _TEXT_OR_NULL,
        "type": {"enum": ["info", "approval"]},
        "status": {"enum": ["recorded", "pending", "approved", "rejected", "expired", "cancelled"]},
        "title": _TEXT,
        "data": _ANY,
        "tool": _TEXT_OR_NULL,
        "arguments": {"type": ["object", "null"]},
        "digest": _TEXT_OR_NULL,
        "createdAt": _TIME_OR_NULL,
        "expiresAt": _TIME_OR_NULL,
        "decidedAt": _TIME_OR_NULL,
        "decidedBy": _TEXT_OR_NULL,
        "reason": _TEXT_OR_NULL,
        "editedArguments": {"type": ["object", "null"]},
        "escalatesAt": _TIME,
        "escalatedAt": _TIME,
        "people": {"type": "integer"},
        "approvals": {"type": "array", "items": _object({"by": _TEXT, "at": _TIME})},
        "form": {"type": "object"},
    },
    # Fields of an approval; `data` is an info checkpoint's.
    optional=(
        *("id", "callId", "data", "tool", "arguments", "digest", "createdAt", "expiresAt"),
        *("decidedAt", "decidedBy", "reason", "editedArguments"),
        *("escalatesAt", "escalatedAt", "people", "approvals", "form"),
    ),
)

SCHEDULE = _object(
    {
        "id": _TEXT,
        "name": _TEXT_OR_NULL,
        "overlap": _TEXT_OR_NULL,
        "backfill": {"type": "integer", "minimum": 0},
        "cron": _TEXT,
        "timeZone": _TEXT,
        "paused": {"type": "boolean"},
        "jobType": _TEXT,
        "taskDescription": _TEXT,
        "inputData": {"type": "object"},
        "priority": {"type": "integer", "minimum": 0, "maximum": 9},
        "sessionId": _TEXT_OR_NULL,
        "createdAt": _TIME,
        "nextRunAt": _TIME_OR_NULL,
        "lastRunAt": _TIME_OR_NULL,
        "lastJobs": {"type": "array", "items": _TEXT},
        "tags": {"type": "array", "items": _TEXT},
    }
)

SESSION = _object(
    {
        "id": _TEXT,
        "messages": {"type": "array", "items": {"type": "object"}},
        "activeStream": {"type": ["object", "null"]},
        "usage": {"type": "object"},
        "queued": {"type": "array", "items": {"type": "object"}},
        "activeOperations": {"type": "array", "items": {"type": "object"}},
        "cursor": _TEXT,
    },
    optional=("cursor",),
)

BULK = _object(
    {
        "matched": _WHOLE,
        "changed": _WHOLE,
        "refused": {"type": "array", "items": _object({"id": _TEXT, "status": _WHOLE, "detail": _TEXT})},
        "cursor": _TEXT,
    },
    optional=("refused", "cursor"),
)

COMPLETED = _object({"operationId": _TEXT, "applied": {"type": "boolean"}, "why": _TEXT})


# Parts and other fields are those of pydantic-ai's `ModelMessagesTypeAdapter`.
MODEL_MESSAGE = _object(
    {
        "kind": {"enum": ["request", "response"]},
        "parts": {"type": "array", "items": {**_object({"part_kind": _TEXT}), "additionalProperties": True}},
    }
) | {"additionalProperties": True}


SCHEMAS: dict[str, dict[str, Any]] = {
    **ADMIN_SCHEMAS,
    "Bulk": BULK,
    "Checkpoint": CHECKPOINT,
    "Link": _object({"url": _TEXT, "expiresAt": _TIME}),
    "Checkpoints": _rows("checkpoints", "Checkpoint"),
    "Completed": COMPLETED,
    "Diff": DIFF,
    "Job": JOB,
    "Cost": COST,
    "Jobs": JOBS,
    "ModelMessage": MODEL_MESSAGE,
    "ModelMessages": _object({"messages": {"type": "array", "items": _ref("ModelMessage")}}),
    "Object": {"type": "object"},
    "Problem": PROBLEM,
    "Schedule": SCHEDULE,
    "Schedules": _object({"schedules": {"type": "array", "items": _ref("Schedule")}}),
    "Score": SCORE,
    "Session": SESSION,
    "StreamToken": _object({"token": _TEXT, "expiresAt": _TIME}),
    "Submitted": {"anyOf": [_ref("Job"), _ref("Taken")]},
    "Taken": _object({"jobId": _TEXT}),
    "ToolCall": TOOL_CALL,
    "Usage": USAGE,
    "Workflow": _object({"workflowId": _TEXT}),
}
