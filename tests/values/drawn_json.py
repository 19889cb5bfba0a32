"""Texts of JSON drawn by a schema, and against it: each place may hold what the schema does not foresee."""

from collections.abc import Mapping
from json import dumps
from typing import Any

from tests.values.odd import Drawn

_AGAINST = 0.06  # of all places
_SIMPLE = {"null": ("null",), "boolean": ("true", "false"), "integer": ("0", "1", "-1", "7"), "number": ("0.5", "1e3")}


class BySchema:
    """Draws texts of JSON. `known`: texts for fields by their names, which a schema cannot say, such as an agent's."""

    def __init__(self, schema: Mapping[str, Any], known: Mapping[str, tuple[str, ...]]) -> None:
        self._schema, self._known = schema, known

    def text(self, drawn: Drawn) -> str:
        return self._text(drawn, self._schema, 4)

    def _text(self, drawn: Drawn, schema: Any, depth: int) -> str:
        chance = drawn.random
        if chance.random() < _AGAINST or not isinstance(schema, Mapping):
            return drawn.json()
        several = next((schema[name] for name in ("anyOf", "oneOf", "allOf") if name in schema), None)
        if several or "$ref" in schema:
            inner = chance.choice(several) if several else self._schema["$defs"][schema["$ref"].rpartition("/")[2]]
            return self._text(drawn, inner, depth)
        if "const" in schema or "enum" in schema:
            return dumps(chance.choice(schema.get("enum") or [schema.get("const")]))
        return self._typed(drawn, schema, depth)

    def _typed(self, drawn: Drawn, schema: Mapping[str, Any], depth: int) -> str:
        chance, kind = drawn.random, schema.get("type")
        if kind in _SIMPLE:
            return chance.choice(_SIMPLE[kind])
        if kind == "string":
            return dumps(chance.choice(("a", "job_1", "2026-01-01T00:00:00Z", "0 9 * * *", drawn.text())))
        if kind == "array":
            if chance.random() < _AGAINST:
                return f"[{', '.join(['0'] * 300)}]"
            items = [self._text(drawn, schema.get("items"), depth - 1) for _ in range(chance.randrange(3))]
            return f"[{', '.join(items if depth else [])}]"
        return self._object(drawn, schema, depth) if kind == "object" and depth else drawn.json()

    def _object(self, drawn: Drawn, schema: Mapping[str, Any], depth: int) -> str:
        chance, fields = drawn.random, dict[str, str]()
        for name, inner in schema.get("properties", {}).items():
            known = chance.choice(self._known.get(name, ("",)))
            if chance.random() < (0.97 if known or name in schema.get("required", ()) else 0.4):
                use = known and chance.random() > _AGAINST
                fields[dumps(name)] = known if use else self._text(drawn, inner, depth - 1)
        if chance.random() < _AGAINST or not schema.get("properties"):
            fields[dumps(drawn.text())] = drawn.json()
        return f"{{{', '.join(f'{name}: {text}' for name, text in fields.items())}}}"
