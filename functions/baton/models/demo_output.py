"""The demo model's answer in the form that an agent asks for: as well as somebody can who only looks at the schema.

Invariant: deterministic. Texts get the answer, lists of texts its sources, everything else the smallest value that its
type has. Must not: check whether that fits; whoever asked does.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

_MAX_DEPTH = 8


class Filling(Struct, frozen=True):
    """What there is to say, and the definitions that the schema refers to."""

    answer: str
    sources: Sequence[str]
    definitions: Mapping[str, Any]

    def value(self, schema: Mapping[str, Any], depth: int = 0) -> Any:
        """A value for one place of the schema."""
        schema = self._resolved(schema)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return schema["enum"][0]
        kind = schema.get("type")
        if kind == "object" and depth < _MAX_DEPTH:
            known, required = schema.get("properties", {}), schema.get("required", [])
            return {name: self.value(known[name], depth + 1) for name in required if name in known}
        if kind == "array":
            return list(self.sources) if self._resolved(schema.get("items", {})).get("type") == "string" else []
        simple = {"string": self.answer, "boolean": False, "integer": 0, "number": 0, "object": {}}
        return schema.get("minimum", simple[kind]) if kind in simple else None

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Behind a reference, and the first choice of several that is not null."""
        for _ in range(_MAX_DEPTH):
            if "$ref" in schema:
                schema = self.definitions.get(schema["$ref"].rsplit("/", 1)[-1], {})
            elif choices := schema.get("anyOf") or schema.get("oneOf"):
                schema = next((choice for choice in choices if choice.get("type") != "null"), {})
            else:
                break
        return schema


def output_arguments(schema: Mapping[str, Any], answer: str, sources: Sequence[str]) -> dict[str, Any]:
    """The answer as the arguments of the final tool, whose parameters have that schema."""
    filled = Filling(answer, sources, schema.get("$defs", {})).value(schema)
    return filled if isinstance(filled, dict) else {}
