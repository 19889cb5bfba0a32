"""Makes the form of a tool call's arguments from the tool's JSON schema, and reads the arguments that it brings back.

Invariant: an untouched field leaves its argument exactly as it was, and a missing argument stays missing. A field is
made only for a value that it can show exactly; any other value is edited as JSON. A form may be wrong about a schema;
the tool checks the arguments in any case. A schema from elsewhere may be none: it has no form.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from baton.sdk.records.redaction import REDACTED

Schema = Mapping[str, Any]
Kind = Literal["line", "text", "choice", "lines", "json", "group", "secret"]

ROOT = "arguments"
MISSING: Any = object()


@dataclass(frozen=True)
class Field:
    """One field.

    `name`: its name in the form: the path to the argument, behind `arguments`. `shown`: the text in it. `attributes`:
    the input's attributes, which the browser enforces. `options`: of a choice: each value with its text. `parts`: of a
    group: its fields.
    """

    name: str
    label: str
    kind: Kind
    schema: Schema = field(repr=False)
    value: Any = field(repr=False)
    required: bool
    shown: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict[str, str])
    options: tuple[tuple[str, str], ...] = ()
    parts: tuple["Field", ...] = ()

    @property
    def help(self) -> str:
        """The schema's description of the argument."""
        return str(self.schema.get("description") or "")

    @property
    def anchor(self) -> str:
        """Its name as an id in the page."""
        return re.sub(r"[^\w.-]", "-", self.name)


class FormError(ValueError):
    """Fields hold invalid values for their arguments; `faults`: by the field's name."""

    def __init__(self, faults: dict[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {fault}" for name, fault in faults.items()))
        self.faults = faults


def shown_with(fields: tuple[Field, ...], form: Mapping[str, list[str]]) -> tuple[Field, ...]:
    return tuple(
        Field(**{**vars(one), "shown": _sent(form, one), "parts": shown_with(one.parts, form)}) for one in fields
    )


def arguments_from(fields: tuple[Field, ...], form: Mapping[str, list[str]]) -> dict[str, Any]:
    """Parse a form into arguments. Raises FormError: some of its fields are wrong."""
    faults = dict[str, str]()
    found = _read(fields, form, faults)
    if faults:
        raise FormError(faults)
    return found


def _read(fields: tuple[Field, ...], form: Mapping[str, list[str]], faults: dict[str, str]) -> dict[str, Any]:
    found = dict[str, Any]()
    for one in fields:
        try:
            value = _read(one.parts, form, faults) if one.kind == "group" else _value(one, _sent(form, one))
        except ValueError as error:
            faults[one.name] = str(error)
            continue
        if value is not MISSING:
            found[one.label] = value
    return found


def _sent(form: Mapping[str, list[str]], one: Field) -> str:
    """Return the field's input; a browser ends lines in its own way."""
    return with_plain_lines(form[one.name][0]) if one.name in form else one.shown


def with_plain_lines(text: str) -> str:
    """Convert a text's line ends to those that a browser's form keeps."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _value(one: Field, text: str) -> Any:
    """Parse a field's text into its argument.

    Raises ValueError: it is not a value of its type; the message is for people.
    """
    if one.kind == "secret" or text == with_plain_lines(one.shown):
        return one.value
    kind, _ = type_of(one.schema)
    if not text.strip():
        return _emptied(one, text)
    match one.kind:
        case "lines":
            item, _ = type_of(one.schema["items"])
            return [_scalar(item, line.strip()) for line in text.splitlines() if line.strip()]
        case "json" | "choice":
            return _parsed(text)
        case _:
            return _scalar(kind, text)


def _emptied(one: Field, text: str) -> Any:
    """Return the argument of an emptied field: null, an empty value, or none."""
    kind, nullable = type_of(one.schema)
    if nullable or one.kind == "lines":
        return None if nullable else []
    if kind == "string" and one.kind in ("line", "text"):
        return text
    if one.required:
        raise ValueError("it is required")
    return MISSING


def _scalar(kind: str, text: str) -> Any:
    if kind == "string":
        return text
    if kind == "boolean":
        if text.strip() not in ("true", "false"):
            raise ValueError(f"write true or false, got {text.strip()[:80]!r}")
        return text.strip() == "true"
    try:
        number = json.loads(text, parse_constant=lambda _: None)
    except ValueError:
        number = None
    fits = isinstance(number, int if kind == "integer" else int | float) and not isinstance(number, bool)
    if not fits:
        what = "a whole number" if kind == "integer" else "a number"
        raise ValueError(f"write {what}, got {text.strip()[:80]!r}")
    return number


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from error


def type_of(schema: Schema) -> tuple[str, bool]:
    """Return a schema's one type beside null (empty if there is not just one), and whether it may be null."""
    kinds = schema.get("type")
    listed = [kinds] if isinstance(kinds, str) else list(kinds or ())
    others = [kind for kind in listed if kind != "null"]
    return (others[0] if len(others) == 1 else ""), "null" in listed or bool(schema.get("nullable"))


_DEEPEST = 3
_LINE_CHARS = 80
_NONE = "\N{EN DASH}"  # a choice's text where nothing is chosen
_NO_RULES = {"title", "description", "default"}  # about the values that fit
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
        if value is not MISSING and not schema.keys() - _NO_RULES:
            schema = {**schema, **_shown_by(value)}
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


def schema_shown_by(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Make the schema that arguments show, where their tool's is not known here."""
    return {"type": "object", "properties": {name: _shown_by(value) for name, value in arguments.items()}}


def _shown_by(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"type": "boolean"}
        case str():
            return {"type": "string"}
        case int() | float():
            return {"type": "number"}
        case [first, *others]:
            of_one = _shown_by(first)
            return {"type": "array", "items": of_one} if all(_shown_by(each) == of_one for each in others) else {}
        case dict():
            return schema_shown_by(value)
        case _:
            return {}


def _kind_of(schema: Schema, value: Any, depth: int) -> Kind:
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
