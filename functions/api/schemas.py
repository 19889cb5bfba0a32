"""The JSON that the API answers with, as JSON Schema: what CONTRACT names of it. Unlisted fields may come later."""

from typing import Any

_TEXT: dict[str, Any] = {"type": "string"}
_TEXT_OR_NULL: dict[str, Any] = {"type": ["string", "null"]}
_TIME: dict[str, Any] = {"type": "string", "format": "date-time"}
_TIME_OR_NULL: dict[str, Any] = {"type": ["string", "null"], "format": "date-time"}
_WHOLE: dict[str, Any] = {"type": "integer", "minimum": 0}
_ANY: dict[str, Any] = {}
_FAULT: dict[str, Any] = {
    "type": "object",
    "properties": {"type": _TEXT, "message": _TEXT},
    "required": ["type", "message"],
}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(fields: dict[str, Any], *, optional: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": [name for name in fields if name not in optional]}


PROBLEM = _object(
    {
        "type": {"type": "string", "format": "uri-reference"},
        "title": _TEXT,
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": _TEXT,
        "errors": {"type": "array", "items": _object({"field": _TEXT, "message": _TEXT})},
    },
    optional=("errors",),
)

TOOL_CALL = _object(
    {
        "id": _TEXT,
        "tool": _TEXT,
        "arguments": {"type": "object"},
        "status": {"enum": ["queued", "running", "retrying", "waiting", "completed", "failed", "cancelled"]},
        "attempts": _WHOLE,
        "startedAt": _TIME_OR_NULL,
        "finishedAt": _TIME_OR_NULL,
        "result": _ANY,
        "error": _FAULT,
        "operationId": _TEXT,
        "childJobId": _TEXT,
        "step": _TEXT,
        "dependsOn": {"type": "array", "items": _TEXT},
    },
    optional=("result", "error", "operationId", "childJobId", "step", "dependsOn"),
)

USAGE = _object(
    {
        "inputTokens": _WHOLE,
        "outputTokens": _WHOLE,
        "cachedInputTokens": _WHOLE,
        "modelCalls": _WHOLE,
        "cachedCalls": _WHOLE,
        "messages": _WHOLE,
        "redisRequests": _WHOLE,
        "redisCommands": _WHOLE,
        "costUsd": {"type": "number", "minimum": 0},
    }
)

JOB = _object(
    {
        "id": _TEXT,
        "jobType": _TEXT,
        "taskDescription": _TEXT,
        "inputData": {"type": "object"},
        "priority": {"type": "integer", "minimum": 0, "maximum": 9},
        "sessionId": _TEXT,
        "parentJobId": _TEXT_OR_NULL,
        "status": {"enum": ["pending", "processing", "waiting", "completed", "failed", "cancelled"]},
        "waitingFor": _TEXT_OR_NULL,
        "result": _ANY,
        "error": {"anyOf": [_FAULT, {"type": "null"}]},
        "createdAt": _TIME,
        "updatedAt": _TIME,
        "startedAt": _TIME_OR_NULL,
        "finishedAt": _TIME_OR_NULL,
        "memory": {"type": ["object", "null"]},
        "turns": _WHOLE,
        "toolCalls": {"type": "array", "items": _ref("ToolCall")},
        "usage": _ref("Usage"),
    }
)

JOBS = _object(
    {"jobs": {"type": "array", "items": {"type": "object"}}, "cursor": _TEXT},
    optional=("cursor",),
)

SCHEMAS: dict[str, dict[str, Any]] = {
    "Job": JOB,
    "Jobs": JOBS,
    "Object": {"type": "object"},
    "Problem": PROBLEM,
    "ToolCall": TOOL_CALL,
    "Usage": USAGE,
}
