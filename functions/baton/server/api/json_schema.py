"""The pieces that JSON Schemas of the API's answers are made of."""

from typing import Any

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
