"""Values that are checked by a JSON schema from elsewhere, such as an MCP server's.

Invariant: a fault does not name the value, which may be secret.
"""

from collections.abc import Mapping
from typing import Any

from baton.tools.arguments import InvalidArguments


class JsonSchema:
    """The JSON schema of a tool's arguments, or of a person's answer."""

    def __init__(self, tool: str, json_schema: Mapping[str, Any]) -> None:
        self._tool = tool
        self.json_schema = {"properties": {}, **json_schema}

    def to_json(self, arguments: Any) -> dict[str, Any]:
        """Check arguments; they stay unchanged."""
        from jsonschema import SchemaError  # noqa: PLC0415 - it comes with the SDK, which other agents do not need
        from jsonschema.validators import validator_for  # noqa: PLC0415

        try:
            kind = validator_for(self.json_schema)
            kind.check_schema(self.json_schema)
        except SchemaError as error:
            fault = f"its schema is no JSON schema: {error.message}"
            raise InvalidArguments(self._tool, [fault], [()]) from error
        faults = sorted(kind(self.json_schema).iter_errors(arguments), key=lambda fault: list(map(str, fault.path)))
        if faults:
            lines = [f"{fault.json_path.removeprefix('$.')}: {_fault_text(fault)}" for fault in faults]
            raise InvalidArguments(self._tool, lines, [tuple(fault.absolute_path) for fault in faults])
        return dict(arguments)

    def to_keywords(self, arguments: Any) -> dict[str, Any]:
        """Check arguments and return them as one value."""
        return {"arguments": self.to_json(arguments)}


def _fault_text(fault: Any) -> str:
    """Describe a fault without the value, which may be secret."""
    if fault.validator == "required":
        return str(fault.message)
    return f"does not fit {fault.validator}: {fault.validator_value}"
