"""The JSON of the API's answers, as JSON Schema: the fields that CONTRACT names. Unlisted fields may come later."""

from typing import Any

from baton.engine.transitions import END_STATUSES, CallStatus, JobStatus
from baton.server.api.problem import Code

TEXT: dict[str, Any] = {"type": "string"}
TEXT_OR_NULL: dict[str, Any] = {"type": ["string", "null"]}
TIME: dict[str, Any] = {"type": "string", "format": "date-time"}
TIME_OR_NULL: dict[str, Any] = {"type": ["string", "null"], "format": "date-time"}
WHOLE: dict[str, Any] = {"type": "integer", "minimum": 0}
USD: dict[str, Any] = {"type": "number", "minimum": 0}
ANY: dict[str, Any] = {}
FAULT: dict[str, Any] = {
    "type": "object",
    "properties": {"type": TEXT, "message": TEXT},
    "required": ["type", "message"],
}


def ref(name: str) -> dict[str, Any]:
    """Refer to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def json_object(fields: dict[str, Any], *, optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """Describe an object with these fields, which may have others, too."""
    return {"type": "object", "properties": fields, "required": [name for name in fields if name not in optional]}


def rows(name: str, of: str) -> dict[str, Any]:
    """Describe a page of a list."""
    return json_object({name: {"type": "array", "items": ref(of)}, "cursor": TEXT}, optional=("cursor",))


AUDIT_ENTRY = json_object(
    {
        "id": TEXT,
        "at": TIME,
        "key": TEXT,
        "label": TEXT,
        "tenant": TEXT,
        "action": TEXT,
        "target": TEXT,
        "status": WHOLE,
        "detail": {"type": "object"},
    }
)

_AMOUNTS = dict.fromkeys(("limit", "spent", "reserved", "left", "largest"), USD)
# Amounts are US dollars or tokens.
BUDGET = json_object(
    {
        **dict.fromkeys(("key", "per", "timeZone", "unit", "period"), TEXT),
        "declared": {"type": ["number", "null"]},
        **_AMOUNTS,
        "waiting": WHOLE,
        "resetsAt": TIME_OR_NULL,
    }
)

ERASED = json_object(dict.fromkeys(("jobs", "sessions", "files", "memories", "events", "objects", "running"), WHOLE))

TOOL = json_object(
    {
        "name": TEXT,
        "capabilities": {"type": "array", "items": TEXT},
        "calls": WHOLE,
        "failures": WHOLE,
        "p50Ms": {"type": ["integer", "null"]},
        "p95Ms": {"type": ["integer", "null"]},
    }
)

WORKER = json_object(
    {
        "running": {"type": "boolean"},
        "stoppedAt": TIME_OR_NULL,
        "activeJobs": WHOLE,
        "pendingJobs": WHOLE,
        "maxConcurrentJobs": WHOLE,
        "lastSweepAt": TIME_OR_NULL,
        "history": {
            "type": "array",
            "items": json_object({"at": TIME, "activeJobs": WHOLE, "pendingJobs": WHOLE, "maxConcurrentJobs": WHOLE}),
        },
    },
    optional=("history",),
)

_COUNTS = dict.fromkeys(
    ("messages", "deliveries", "redisRequests", "redisCommands", "redisBytes", "functionMs"), WHOLE
) | {"gbSeconds": USD}
_USAGE = json_object(dict.fromkeys(("jobs", "inputTokens", "outputTokens"), WHOLE) | _COUNTS | {"costUsd": USD})
_SERIES = dict.fromkeys(("agent", "tenant", "model"), TEXT)
_STATUSES = dict.fromkeys(sorted(status.value for status in END_STATUSES), WHOLE)
_DAY = json_object(
    {"day": TEXT, "month": TEXT, **_SERIES, "usage": _USAGE, "cost": ref("Cost"), **_STATUSES},
    optional=("day", "month"),
)

# Months by tenant, or with `?by=` the last 92 days.
TENANT_USAGE = json_object(
    {
        "tenants": {
            "type": "array",
            "items": json_object({"tenant": TEXT, "month": TEXT, "usage": _USAGE, "cost": ref("Cost")}),
        },
        "overhead": json_object({"usage": json_object(_COUNTS | {"sharedRequests": WHOLE}), "cost": ref("Cost")}),
        "prices": {
            "type": "array",
            "items": json_object({"name": TEXT, "usd": USD, "per": TEXT, "listUsd": USD, "source": TEXT, "asOf": TEXT}),
        },
        "rows": {"type": "array", "items": _DAY},
        "keptDays": WHOLE,
    },
    optional=("tenants", "overhead", "prices", "rows", "keptDays"),
)

ADMIN_SCHEMAS: dict[str, dict[str, Any]] = {
    "AuditEntry": AUDIT_ENTRY,
    "AuditLog": rows("entries", "AuditEntry"),
    "Budget": BUDGET,
    "Budgets": rows("budgets", "Budget"),
    "Erased": ERASED,
    "TenantUsage": TENANT_USAGE,
    "Tool": TOOL,
    "Tools": json_object({"tools": {"type": "array", "items": ref("Tool")}}),
    "Worker": WORKER,
}


# `partial`: the text of an answer that was cut off.
_OBJECT_OR_NULL = {"type": ["object", "null"]}
_JOB_FAULT = json_object({"type": TEXT, "message": TEXT, "partial": TEXT}, optional=("partial",))
PROBLEM = json_object(
    {
        "type": {"type": "string", "format": "uri-reference"},
        "title": TEXT,
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "code": {"enum": [code.name for code in Code]},
        "detail": TEXT,
        "errors": {"type": "array", "items": json_object({"field": TEXT, "message": TEXT})},
    },
    optional=("errors",),
)

TOOL_CALL = json_object(
    {
        "id": TEXT,
        "tool": TEXT,
        "arguments": _OBJECT_OR_NULL,
        "status": {"enum": [status.value for status in CallStatus]},
        "attempts": WHOLE,
        "startedAt": TIME_OR_NULL,
        "finishedAt": TIME_OR_NULL,
        "result": ANY,
        "resultRef": json_object(
            {"url": TEXT, "sizeBytes": {"type": "integer"}, "mediaType": TEXT, "digest": TEXT, "preview": TEXT},
            optional=("digest", "preview"),
        ),
        "error": FAULT,
        "operationId": TEXT,
        "childJobId": TEXT,
        "scriptCallId": TEXT,
        "step": TEXT,
        "dependsOn": {"type": "array", "items": TEXT},
    },
    optional=("result", "resultRef", "error", "operationId", "childJobId", "scriptCallId", "step", "dependsOn"),
)

USAGE = json_object(
    {
        "inputTokens": WHOLE,
        "outputTokens": WHOLE,
        "cachedInputTokens": WHOLE,
        "modelCalls": WHOLE,
        "cachedCalls": WHOLE,
        "messages": WHOLE,
        "deliveries": WHOLE,
        "redisRequests": WHOLE,
        "redisCommands": WHOLE,
        "redisBytes": WHOLE,
        "streamAppends": WHOLE,
        "functionMs": WHOLE,
        "gbSeconds": {"type": "number", "minimum": 0},
        "costUsd": USD,
    }
)

COST = json_object(dict.fromkeys(("queueUsd", "redisUsd", "functionsUsd", "modelUsd", "totalUsd"), USD))

# A turn, or a call in it, which has the other two.
STEP = json_object(
    {"turn": WHOLE, "callId": TEXT_OR_NULL, "tool": TEXT_OR_NULL, "usage": ref("Usage"), "cost": ref("Cost")}
)

SCORE = json_object(
    {"name": TEXT, "value": {"type": ["number", "boolean"]}, "comment": TEXT_OR_NULL, "createdAt": TIME, "by": TEXT}
)

JOB = json_object(
    {
        "id": TEXT,
        "jobType": TEXT,
        "agentVersion": TEXT_OR_NULL,
        "taskDescription": TEXT_OR_NULL,
        "inputData": _OBJECT_OR_NULL,
        "priority": {"type": "integer", "minimum": 0, "maximum": 9},
        "tags": {"type": "array", "items": TEXT},
        "sessionId": TEXT,
        "parentJobId": TEXT_OR_NULL,
        "status": {"enum": [status.value for status in JobStatus]},
        "waitingFor": TEXT_OR_NULL,
        "result": ANY,
        "error": {"anyOf": [_JOB_FAULT, {"type": "null"}]},
        "createdAt": TIME,
        "updatedAt": TIME,
        "startedAt": TIME_OR_NULL,
        "finishedAt": TIME_OR_NULL,
        "memory": {"type": ["object", "null"]},
        "turns": WHOLE,
        "toolCalls": {"type": "array", "items": ref("ToolCall")},
        "scores": {"type": "array", "items": ref("Score")},
        "usage": ref("Usage"),
        "cost": ref("Cost"),
        "steps": {"type": "array", "items": STEP},
        "besideSteps": json_object({"usage": ref("Usage"), "cost": ref("Cost")}),
        "continues": json_object({"jobId": TEXT, "operationId": TEXT}),
        "forkedFrom": json_object({"jobId": TEXT, "turn": WHOLE}),
        "cancelling": json_object({"by": TEXT, "until": TIME}),
        "unreadable": json_object({"keyIds": {"type": "array", "items": TEXT}}),
    },
    # With `?steps=true`; of a job that continues its session; of a fork; where keys of PAYLOAD_KEYS are not there.
    optional=("steps", "besideSteps", "continues", "forkedFrom", "cancelling", "unreadable"),
)

# A job's turn: `turn`, `text`, `calls`, `usage`, `cost`.
_TURN = {"type": ["object", "null"]}
_CHANGE = {"enum": ["same", "changed", "added", "removed"]}
_TURNS = {"type": "array", "items": json_object({"turn": WHOLE, "change": _CHANGE, "left": _TURN, "right": _TURN})}

DIFF = json_object({"left": {"type": "object"}, "right": {"type": "object"}, "turns": _TURNS})

JOBS = json_object(
    {"jobs": {"type": "array", "items": {"type": "object"}}, "cursor": TEXT, "lookedBackTo": TIME},
    # With older jobs; of a page with fewer jobs than its limit.
    optional=("cursor", "lookedBackTo"),
)

CHECKPOINT = json_object(
    {
        "id": TEXT,
        "jobId": TEXT,
        "callId": TEXT_OR_NULL,
        "type": {"enum": ["info", "approval"]},
        "status": {"enum": ["recorded", "pending", "approved", "rejected", "expired", "cancelled"]},
        "title": TEXT,
        "data": ANY,
        "tool": TEXT_OR_NULL,
        "arguments": {"type": ["object", "null"]},
        "digest": TEXT_OR_NULL,
        "createdAt": TIME_OR_NULL,
        "expiresAt": TIME_OR_NULL,
        "mayDecide": {"enum": ["operator", "tenant", None]},
        "decidedAt": TIME_OR_NULL,
        "decidedBy": TEXT_OR_NULL,
        "reason": TEXT_OR_NULL,
        "editedArguments": {"type": ["object", "null"]},
        "escalatesAt": TIME,
        "escalatedAt": TIME,
        "people": {"type": "integer"},
        "approvals": {"type": "array", "items": json_object({"by": TEXT, "at": TIME})},
        "form": {"type": "object"},
    },
    # Fields of an approval; `data` is an info checkpoint's.
    optional=(
        *("id", "callId", "data", "tool", "arguments", "digest", "createdAt", "expiresAt"),
        *("mayDecide", "decidedAt", "decidedBy", "reason", "editedArguments"),
        *("escalatesAt", "escalatedAt", "people", "approvals", "form"),
    ),
)

SCHEDULE = json_object(
    {
        "id": TEXT,
        "name": TEXT_OR_NULL,
        "overlap": TEXT_OR_NULL,
        "backfill": {"type": "integer", "minimum": 0},
        "cron": TEXT,
        "timeZone": TEXT,
        "paused": {"type": "boolean"},
        "jobType": TEXT,
        "taskDescription": TEXT,
        "inputData": {"type": "object"},
        "priority": {"type": "integer", "minimum": 0, "maximum": 9},
        "sessionId": TEXT_OR_NULL,
        "createdAt": TIME,
        "nextRunAt": TIME_OR_NULL,
        "lastRunAt": TIME_OR_NULL,
        "lastJobs": {"type": "array", "items": TEXT},
        "tags": {"type": "array", "items": TEXT},
    }
)

SESSION = json_object(
    {
        "id": TEXT,
        "messages": {"type": "array", "items": {"type": "object"}},
        "activeStream": {"type": ["object", "null"]},
        "usage": {"type": "object"},
        "queued": {"type": "array", "items": {"type": "object"}},
        "activeOperations": {"type": "array", "items": {"type": "object"}},
        "cursor": TEXT,
    },
    optional=("usage", "cursor"),
)

BULK = json_object(
    {
        "matched": WHOLE,
        "changed": WHOLE,
        "refused": {"type": "array", "items": json_object({"id": TEXT, "status": WHOLE, "detail": TEXT})},
        "cursor": TEXT,
    },
    optional=("refused", "cursor"),
)

COMPLETED = json_object({"operationId": TEXT, "applied": {"type": "boolean"}, "why": TEXT})


# Parts and other fields are those of pydantic-ai's `ModelMessagesTypeAdapter`.
MODEL_MESSAGE = json_object(
    {
        "kind": {"enum": ["request", "response"]},
        "parts": {"type": "array", "items": {**json_object({"part_kind": TEXT}), "additionalProperties": True}},
    }
) | {"additionalProperties": True}


SCHEMAS: dict[str, dict[str, Any]] = {
    **ADMIN_SCHEMAS,
    "Bulk": BULK,
    "Checkpoint": CHECKPOINT,
    "Link": json_object({"url": TEXT, "expiresAt": TIME}),
    "Checkpoints": rows("checkpoints", "Checkpoint"),
    "Completed": COMPLETED,
    "Diff": DIFF,
    "Job": JOB,
    "Cost": COST,
    "Jobs": JOBS,
    "ModelMessage": MODEL_MESSAGE,
    "ModelMessages": json_object({"messages": {"type": "array", "items": ref("ModelMessage")}}),
    "Object": {"type": "object"},
    "Problem": PROBLEM,
    "Schedule": SCHEDULE,
    "Schedules": json_object({"schedules": {"type": "array", "items": ref("Schedule")}}),
    "Score": SCORE,
    "Session": SESSION,
    "StreamToken": json_object({"token": TEXT, "expiresAt": TIME}),
    "Submitted": {"anyOf": [ref("Job"), ref("Taken")]},
    "Taken": json_object({"jobId": TEXT}),
    "ToolCall": TOOL_CALL,
    "Usage": USAGE,
    "Workflow": json_object({"workflowId": TEXT}),
}
