"""The JSON that the API answers operators with, as JSON Schema. Unlisted fields may come later."""

from typing import Any

from baton.engine.transitions import END_STATUSES

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
