"""Makes the form of a tool call's arguments from the tool's JSON schema.

Invariant: a field is made only for a value that it can show exactly; any other value is edited as JSON. A form may be
wrong about a schema; the tool checks the arguments in any case. A schema from elsewhere may be none: it has no form.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from baton.sdk.records.redaction import REDACTED
from baton.server.console.approvals.fields import MISSING, ROOT, Field, Kind, Schema, type_of, with_plain_lines

_DEEPEST = 3
_LINE_CHARS = 80
_NONE = "\N{EN DASH}"  # a choice's text where nothing is chosen
_SCALARS = ("string", "integer", "number", "boolean")
# The texts that an input of that type shows unchanged: a browser empties it for any other text.
_INPUT_TYPES = {
    "date": re.compile(r"([0-9]{4}-[0-9][0-9]-[0-9][0-9])?"),
    "time": re.compile(r"([0-9][0-9]:[0-9][0-9](:[0-9][0-9])?)?"),
    "email": re.compile(r"\S*"),
}
_LIMITS = {"minLength": "minlength", "maxLength": "maxlength", "minimum": "min", "maximum": "max"}


def fields_of(schema: Schema, arguments: Mapping[str, Any]) -> tuple[Field, ...]:
    """Make the fields of all arguments, in the schema's order; arguments unknown to the schema come last.

    Return none where the schema cannot be read: all of the arguments are edited as JSON.
    """
    try:
        return _Maker(schema.get("$defs", {})).parts(ROOT, schema, arguments, 0)
    except (AttributeError, TypeError, ValueError, LookupError, RecursionError):
        return ()


class _Maker:
    """Makes fields. `definitions`: the targets of the schema's references."""

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self._definitions = definitions

    def parts(self, path: str, schema: Schema, values: Mapping[str, Any], depth: int) -> tuple[Field, ...]:
        """Make the fields of an object."""
        properties: Mapping[str, Schema] = schema.get("properties", {})
        needed = schema.get("required", ())
        names = [*properties, *(name for name in values if name not in properties)]
        return tuple(
            self._field(
                f"{path}.{name}",
                name,
                self._plain(properties.get(name, {})),
                values.get(name, MISSING),
                depth,
                required=name in needed,
            )
            for name in names
        )

    def _plain(self, schema: Schema) -> Schema:
        """Resolve the schema's reference, and reduce an alternative with null to the other one."""
        if not isinstance(schema, Mapping):  # `true` allows everything
            return {}
        for _ in range(_DEEPEST):
            if isinstance(to := schema.get("$ref"), str):
                schema = {**self._definitions.get(to.rpartition("/")[2], {}), **_without(schema, "$ref")}
            elif len(schema.get("allOf", ())) == 1:
                schema = {**schema["allOf"][0], **_without(schema, "allOf")}
            elif len(inner := [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]) == 1:
                schema = {**inner[0], **_without(schema, "anyOf"), "nullable": len(schema["anyOf"]) > 1}
            else:
                break
        if isinstance(schema.get("items"), Mapping):
            return {**schema, "items": self._plain(schema["items"])}
        return schema

    def _field(self, path: str, name: str, schema: Schema, value: Any, depth: int, *, required: bool) -> Field:
        kind = _kind_of(schema, value, depth)
        head = (path, name, kind, schema, value, required)
        if kind == "group":
            return Field(*head, parts=self.parts(path, schema, value, depth + 1))
        shown = "" if value is MISSING else _shown(kind, value)
        attributes = dict(_attributes(schema, shown)) if kind in ("line", "text") else {}
        left_out = value is MISSING or value is None or type_of(schema)[1] or not required
        options = (("", _NONE),) * left_out + tuple(_options(schema)) if kind == "choice" else ()
        return Field(*head, shown, attributes, options)


def _without(schema: Schema, name: str) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != name}


def _kind_of(schema: Schema, value: Any, depth: int) -> Kind:
    """Choose the kind of field that can show this value of this schema."""
    kind, nullable = type_of(schema)
    if value == REDACTED:
        return "secret"
    if value is MISSING or (value is None and nullable):
        return _kind_of_none(schema, kind)
    if _choices(schema):
        return "choice" if _shown("choice", value) in (text for text, _ in _options(schema)) else "json"
    if kind == "object" and isinstance(value, dict) and value and schema.get("properties") and depth < _DEEPEST:
        return "group"
    return _kind_of_value(schema, kind, value)


def _kind_of_value(schema: Schema, kind: str, value: Any) -> Kind:
    match kind:
        case "string" if isinstance(value, str):
            return "text" if with_plain_lines(value) != value or "\n" in value or len(value) > _LINE_CHARS else "line"
        case "integer" | "number" if isinstance(value, int | float) and not isinstance(value, bool):
            return "line"
        case "array" if _is_lines(schema, value):
            return "lines"
        case _:
            return "json"


def _kind_of_none(schema: Schema, kind: str) -> Kind:
    """Choose the kind of field for an argument without a value."""
    if _choices(schema):
        return "choice"
    if kind in ("string", "integer", "number"):
        return "line"
    return "lines" if kind == "array" and _is_lines(schema, []) else "json"


def _choices(schema: Schema) -> list[Any]:
    if "const" in schema:
        return [schema["const"]]
    if schema.get("enum"):
        return list(schema["enum"])
    return [True, False] if type_of(schema)[0] == "boolean" else []


def _is_lines(schema: Schema, value: Any) -> bool:
    """Return whether each item of a list can be a line of its own."""
    items = schema.get("items", {})
    if not isinstance(value, list) or type_of(items)[0] not in _SCALARS or type_of(items)[1]:
        return False
    texts = [item for item in value if isinstance(item, str)]
    plain = all(text.strip() == text and text and len(text.splitlines()) == 1 for text in texts)
    return plain and all(isinstance(item, str | int | float) for item in value)


def _shown(kind: Kind, value: Any) -> str:
    match kind:
        case "json":
            return json.dumps(value, indent=2, ensure_ascii=False)
        case "lines":
            return "\n".join(item if isinstance(item, str) else json.dumps(item) for item in value)
        case "choice":
            return "" if value is None else json.dumps(value, ensure_ascii=False)
        case _:
            return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def _options(schema: Schema) -> Iterator[tuple[str, str]]:
    for choice in _choices(schema):
        if isinstance(choice, bool):
            yield json.dumps(choice), "yes" if choice else "no"
        elif choice is not None:
            yield json.dumps(choice, ensure_ascii=False), choice if isinstance(choice, str) else json.dumps(choice)


def _attributes(schema: Schema, shown: str) -> Iterator[tuple[str, str]]:
    """Yield the constraints of the schema that a browser can check."""
    kind, _ = type_of(schema)
    if kind in ("integer", "number"):
        yield "type", "number"
        yield "step", str(schema.get("multipleOf", 1 if kind == "integer" else "any"))
        if kind == "integer" and "exclusiveMinimum" in schema:
            yield "min", str(schema["exclusiveMinimum"] + 1)
        if kind == "integer" and "exclusiveMaximum" in schema:
            yield "max", str(schema["exclusiveMaximum"] - 1)
    else:
        known = _INPUT_TYPES.get(form := schema.get("format", ""))
        yield "type", form if known and known.fullmatch(shown) else "text"
        pattern = str(schema.get("pattern", ""))
        if pattern.startswith("^") and pattern.endswith("$"):  # a browser matches the whole text
            yield "pattern", pattern[1:-1]
    for name, attribute in _LIMITS.items():
        if name in schema:
            yield attribute, str(schema[name])
