"""The fields of a form for a tool call's arguments, and the arguments that it brings back.

Invariant: an untouched field leaves its argument exactly as it was, and a missing argument stays missing. Must not:
check more than that each text is a value of its type; the tool checks the arguments.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Schema = Mapping[str, Any]
Kind = Literal["line", "text", "choice", "lines", "json", "group", "secret"]

ROOT = "arguments"
MISSING: Any = object()


@dataclass(frozen=True)
class Field:
    """One field.

    Attributes:
        name: its name in the form: the path to the argument, behind `arguments`.
        shown: the text in it.
        attributes: the input's attributes, which the browser enforces.
        options: of a choice: each value with its text.
        parts: of a group: its fields.
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
    """Return the same fields with the form's input."""
    return tuple(
        Field(**{**vars(one), "shown": _sent(form, one), "parts": shown_with(one.parts, form)}) for one in fields
    )


def arguments_from(fields: tuple[Field, ...], form: Mapping[str, list[str]]) -> dict[str, Any]:
    """Parse a form into arguments.

    Raises:
        FormError: some of its fields are wrong.
    """
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

    Raises:
        ValueError: it is not a value of its type; the message is for people.
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
