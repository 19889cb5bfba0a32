"""The OpenAPI document as clients are held to it: its operations, its schemas, and sample answers made of them."""

import re
from typing import Any

from baton.server.api.audit import Audit
from baton.server.api.auth import Keys
from baton.server.openapi import document_of
from baton.server.routes import api_table
from baton.settings.settings import Settings
from baton.worker.container import Container
from baton.worker.wiring import real_ports

_CONTAINER = Container(Settings(), real_ports(Settings()))  # opens nothing
TABLE = api_table(_CONTAINER, Keys(_CONTAINER), Audit(_CONTAINER))
DOCUMENT: dict[str, Any] = document_of(TABLE, "")
ACCESS = {f"{route.method} {route.path.replace(':any', '')}": route.access for route in TABLE}
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
PLACES = [
    (operation, re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(operation.partition(" ")[2]))))
    for operation in ACCESS
]

# What a client has no method for, and why.
ALIAS = "a name that earlier systems have for what there is already"
PROTOCOL = "for the clients of another protocol"
OPERATOR = "for operators: command line and console have it"
LEFT_OUT = {
    "POST /api/agent/start": ALIAS,
    **{operation: ALIAS for operation in ACCESS if operation.partition(" ")[2].startswith("/api/chat/sessions")},
    "GET /api/chat/tasks/{task_id}": ALIAS,
    "GET /api/chat/tasks/{job_id}/stream": ALIAS,
    "POST /api/chat/operations/{operation_id}/complete": ALIAS,
    "GET /api/chat/schema/tool-responses": ALIAS,
    "GET /api/sessions/{session_id}/stream": "for pages: baton.js has it as `follow`",
    "POST /api/ag-ui/{agent}": PROTOCOL,
    "POST /a2a/{agent}": PROTOCOL,
    "POST /mcp": PROTOCOL,
    **{operation: OPERATOR for operation, access in ACCESS.items() if access in ("admin", "metrics")},
    **{operation: "needs no key" for operation, access in ACCESS.items() if access == "open"},
}
BY_ADMINS = {
    "GET /api/admin/agent-checkpoints",
    "POST /api/admin/agent-checkpoints/{checkpoint_id}",
    "DELETE /api/admin/agent-checkpoints/{checkpoint_id}",
    "GET /api/admin/budgets",
    "PUT /api/admin/budgets/{key}",
    "DELETE /api/admin/budgets/{key}",
    "DELETE /api/admin/subjects/{subject_id}",
}
NOT_SENT = {"trigger", "messageId"}  # what `useChat` sends to have a message answered anew
# By method: fields of its operation's body that belong to another action.
OF_ANOTHER_ACTION = {"cancel": {"from"}, "retry": {"force"}}
EXPECTED = {operation for operation in ACCESS if operation not in LEFT_OUT} | BY_ADMINS


def operation_at(method: str, path: str) -> str:
    """The operation that a request means; a path without parameters first."""
    found = [name for name, place in PLACES if name.startswith(f"{method} ") and place.fullmatch(path)]
    assert found, f"{method} {path} is no operation of the document"
    return min(found, key=lambda name: name.count("{"))


def of(operation: str) -> dict[str, Any]:
    method, _, path = operation.partition(" ")
    described: dict[str, Any] = DOCUMENT["paths"][path][method.lower()]
    return described


def body_fields(operation: str) -> set[str]:
    """The fields of its body; none where it takes none."""
    content = of(operation).get("requestBody", {}).get("content", {})
    return set(resolved(content["application/json"]["schema"])["properties"]) if content else set()


def query_fields(operation: str) -> set[str]:
    return {one["name"] for one in of(operation)["parameters"] if one["in"] == "query"}


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema itself, wherever it stands."""
    if "$ref" in schema:
        return resolved(SCHEMAS[schema["$ref"].rpartition("/")[2]])
    return resolved(schema["anyOf"][0]) if "anyOf" in schema else schema


def sample(schema: dict[str, Any], *, whole: bool) -> Any:
    """A value of a schema; `whole`: with its optional fields."""
    schema = resolved(schema)
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        names = schema.get("properties", {}) if whole else schema.get("required", ())
        return {name: sample(schema["properties"][name], whole=whole) for name in names}
    if kind == "array":
        return [sample(schema["items"], whole=whole)]
    text = "2026-05-01T08:00:00.000Z" if schema.get("format") == "date-time" else "x"
    return {"integer": 1, "number": 0.5, "boolean": True, "string": text}[kind]
