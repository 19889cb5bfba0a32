"""The JSON of the API's answers, as JSON Schema: the fields that CONTRACT names. Unlisted fields may come later."""

from collections.abc import Collection
from datetime import datetime
from functools import reduce
from operator import or_
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from msgspec import Struct
from msgspec.structs import fields

from baton.client.results import (
    Budget,
    Checkpoint,
    Completed,
    Cost,
    Diff,
    Job,
    Json,
    Link,
    ResultRef,
    Schedule,
    Score,
    Session,
    StreamToken,
    Taken,
    ToolCall,
    Usage,
)
from baton.engine.transitions import END_STATUSES, CallStatus, JobStatus
from baton.server.api.problem import Code

TEXT: dict[str, Any] = {"type": "string"}
TEXT_OR_NULL: dict[str, Any] = {"type": ["string", "null"]}
TIME: dict[str, Any] = {"type": "string", "format": "date-time"}
TIME_OR_NULL: dict[str, Any] = {"type": ["string", "null"], "format": "date-time"}
WHOLE: dict[str, Any] = {"type": "integer", "minimum": 0}
USD: dict[str, Any] = {"type": "number", "minimum": 0}
PRIORITY: dict[str, Any] = {"type": "integer", "minimum": 0, "maximum": 9}


def ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def json_object(fields: dict[str, Any], *, optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """Describe an object with these fields, which may have others, too."""
    return {"type": "object", "properties": fields, "required": [name for name in fields if name not in optional]}


def rows(name: str, of: str) -> dict[str, Any]:
    """Describe a page of a list."""
    return json_object({name: {"type": "array", "items": ref(of)}, "cursor": TEXT}, optional=("cursor",))


def answer(
    record: type[Struct], *, optional: Collection[str] | None = None, absent: Collection[str] = (), **own: Any
) -> dict[str, Any]:
    """Describe an answer as the client reads it.

    `optional`: fields that it may lack, and that are never null; None: those that are None where they lack. `absent`:
    those that it may lack, or have as null. `own`: schemas of fields that say more than their types.
    """
    kinds, lacking = dict[str, Any](), list(absent)
    for each in fields(record):
        name = each.encode_name
        if (each.default is None) if optional is None else (name in optional):
            lacking.append(name)
        kinds[name] = own.get(name) or _kind(each.type, never_null=name in lacking and name not in absent)
    return json_object(kinds, optional=tuple(lacking))


_NAMED = (Cost, Score, ToolCall, Usage)
_KINDS: dict[Any, dict[str, Any]] = {
    **dict(zip((str, datetime, int, float, Any), (TEXT, TIME, WHOLE, USD, {}), strict=True)),
    bool: {"type": "boolean"},
    Json: {"type": "object"},
}


def _kind(hint: Any, *, never_null: bool) -> dict[str, Any]:
    origin, parts = get_origin(hint), get_args(hint)
    if NoneType in parts:
        return _or_null(reduce(or_, [part for part in parts if part is not NoneType]), never_null=never_null)
    if origin is Literal:
        return {"enum": list(parts)}
    if origin in (list, tuple):
        return {"type": "array", "items": _kind(parts[0], never_null=True)}
    if isinstance(hint, type) and issubclass(hint, Struct):
        return ref(hint.__name__) if hint in _NAMED else answer(hint)
    return _KINDS[hint]


def _or_null(hint: Any, *, never_null: bool) -> dict[str, Any]:
    kind = _kind(hint, never_null=True)
    if never_null:
        return kind
    if "enum" in kind:
        return {"enum": [*kind["enum"], None]}
    return {"anyOf": [kind, {"type": "null"}]} if "properties" in kind else {**kind, "type": [kind["type"], "null"]}


AUDIT_ENTRY = json_object(
    {"id": TEXT, "at": TIME, **dict.fromkeys(("key", "label", "tenant", "action", "target"), TEXT)}
    | {"status": WHOLE, "detail": {"type": "object"}}
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
        "maxJobsPerTenant": WHOLE,
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
    "Budget": answer(Budget),
    "Budgets": rows("budgets", "Budget"),
    "Erased": ERASED,
    "TenantUsage": TENANT_USAGE,
    "Tool": TOOL,
    "Tools": json_object({"tools": {"type": "array", "items": ref("Tool")}}),
    "Worker": WORKER,
}


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

_OF_JOB = ("steps", "besideSteps", "continues", "forkedFrom", "cancelling", "unreadable")
_OF_CALL = ("result", "resultRef", "error", "operationId", "childJobId", "scriptCallId", "step", "dependsOn", "printed")
# Of a checkpoint, fields of an approval; `data` is an info checkpoint's.
_OF_CHECKPOINT = ("id", "data", "escalatesAt", "escalatedAt", "people", "approvals", "form")
_OF_APPROVAL = (
    *("callId", "tool", "arguments", "digest", "createdAt", "expiresAt"),
    *("mayDecide", "decidedAt", "decidedBy", "reason", "editedArguments"),
)
_MARKED = ["recorded", "pending", "approved", "rejected", "expired", "cancelled"]

JOBS = json_object(
    {"jobs": {"type": "array", "items": {"type": "object"}}, "cursor": TEXT, "lookedBackTo": TIME},
    # With older jobs; of a page with fewer jobs than its limit.
    optional=("cursor", "lookedBackTo"),
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

SCHEMAS: dict[str, dict[str, Any]] = {
    **ADMIN_SCHEMAS,
    "Bulk": BULK,
    "Checkpoint": answer(Checkpoint, optional=_OF_CHECKPOINT, absent=_OF_APPROVAL, status={"enum": _MARKED}),
    "Link": answer(Link),
    "Checkpoints": rows("checkpoints", "Checkpoint"),
    "Completed": answer(Completed),
    "Diff": answer(Diff),
    "Job": answer(
        Job,
        optional=_OF_JOB,
        status={"enum": [status.value for status in JobStatus]},
        priority=PRIORITY,
        createdAt=TIME,
        updatedAt=TIME,
        cost=ref("Cost"),
    ),
    "Cost": answer(Cost),
    "Jobs": JOBS,
    "ModelMessages": json_object({"messages": {"type": "array", "items": {"type": "object"}}}),
    "Object": {"type": "object"},
    "Problem": PROBLEM,
    "Schedule": answer(Schedule, priority=PRIORITY),
    "Schedules": json_object({"schedules": {"type": "array", "items": ref("Schedule")}}),
    "Score": answer(Score, value={"type": ["number", "boolean"]}),
    "Session": answer(Session),
    "StreamToken": answer(StreamToken),
    "Submitted": {"anyOf": [ref("Job"), ref("Taken")]},
    "Taken": answer(Taken),
    "ToolCall": answer(
        ToolCall,
        optional=_OF_CALL,
        status={"enum": [status.value for status in CallStatus]},
        resultRef=answer(ResultRef, optional=("digest", "preview")),
    ),
    "Usage": answer(Usage),
    "Workflow": json_object({"workflowId": TEXT}),
}
