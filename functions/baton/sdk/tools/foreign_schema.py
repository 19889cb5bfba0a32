"""Values that are checked by a JSON schema from elsewhere, such as an MCP server's.

Such a schema is data: it may ask for anything. Invariants: nothing outside of the schema is read, whatever it refers
to; the check of one value takes a bounded number of steps, and its patterns `PATTERNS_MS` together. What is not decided
within that is left to whoever gave the schema, who checks the value again. A fault does not name the value, which may
be secret. Must not: decide whether the schema is wise.
"""

from collections.abc import Mapping
from typing import Any

from baton.sdk.tools.arguments import InvalidArguments

_MOST_FAULTS, _SHOWN_CHARS = 20, 200


class JsonSchema:
    """The JSON schema of a tool's arguments or result, or of a person's answer."""

    def __init__(self, tool: str, json_schema: Mapping[str, Any]) -> None:
        self._tool = tool
        # Servers in Go write null for an empty list, and providers refuse that.
        self.json_schema = {"properties": {}, **{name: one for name, one in json_schema.items() if one is not None}}
        self.names: Any = self.json_schema["properties"]

    def check(self, arguments: Any) -> None:
        """Check a value; it stays unchanged. Raises InvalidArguments: it does not fit, or the schema is none."""
        from referencing.exceptions import Unresolvable  # noqa: PLC0415 - it comes with the SDK of MCP

        from baton.sdk.tools.schema_steps import faults_of  # noqa: PLC0415 - the same

        try:
            faults = faults_of(self.json_schema, arguments, _MOST_FAULTS)
        except Unresolvable as error:
            fault = f"its schema refers to {str(error.ref)[:_SHOWN_CHARS]!r}, which is not in it; nothing else is read"
            raise InvalidArguments(self._tool, [fault], [()]) from error
        except Exception as error:
            named = repr(getattr(error, "type", type(error).__name__))[:_SHOWN_CHARS]
            raise InvalidArguments(self._tool, [f"its schema is no JSON schema: {named}"], [()]) from error
        if faults:
            faults.sort(key=lambda fault: list(map(str, fault.path)))
            lines = [f"{fault.json_path.removeprefix('$.')}: {_fault_text(fault)}" for fault in faults]
            raise InvalidArguments(self._tool, lines, [tuple(fault.absolute_path) for fault in faults])

    def to_keywords(self, arguments: Any) -> dict[str, Any]:
        """Check arguments and return them as one value, exactly as they were sent."""
        self.check(arguments)
        return {"arguments": dict(arguments)}


def _fault_text(fault: Any) -> str:
    """Describe a fault without the value, which may be secret."""
    text = (
        str(fault.message)
        if fault.validator == "required"
        else f"does not fit {fault.validator}: {fault.validator_value}"
    )
    return text if len(text) <= _SHOWN_CHARS else f"{text[: _SHOWN_CHARS - 1]}…"
