"""Tools as Python functions in text, for scripts: names, parameters, types and docstrings.

Types come from the JSON schemas of a tool's arguments and result; what these cannot say is `Any`. Must not: start an
interpreter.
"""

import builtins
import keyword
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from baton.sdk.tools.tool import Tool

Schema = Mapping[str, Any]
# Of a type: as a model reads it, as a checker needs it, or with the names of fields, in words.
_Form = Literal["shown", "checked", "fields"]
_SIMPLE = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
_TAKEN = frozenset({*dir(builtins), "asyncio"})
_DEEPEST = 6
_ANY = "Any"


def python_name(name: str) -> str:
    """Return the name of a tool's function; one that Python itself has gets a `_` behind it."""
    plain = re.sub(r"\W|^(?=\d)", "_", name, flags=re.ASCII)
    return f"{plain}_" if keyword.iskeyword(plain) or plain in _TAKEN else plain


def functions_of(tools: Mapping[str, Tool]) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return for each function its tool, and its parameters in order."""
    return {python_name(name): (name, _parameters(tool)) for name, tool in tools.items()}


def stubs_of(tools: Mapping[str, Tool], *, checked: bool = False) -> str:
    """Return the functions' stubs. `checked`: as a checker needs them, which refuses a `str` for a `Literal`."""
    return "\n".join(_stub(tool, "checked" if checked else "shown") for tool in tools.values())


def _parameters(tool: Tool) -> tuple[str, ...]:
    """Return the parameters that a call may give by position, the required ones first."""
    required = tool.parameters.get("required", ())
    names = [name for name in tool.parameters.get("properties", {}) if _is_name(name)]
    return tuple(sorted(names, key=lambda name: name not in required))


def _is_name(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name)


def _stub(tool: Tool, form: _Form) -> str:
    schema, properties = tool.parameters, tool.parameters.get("properties", {})
    required, definitions = schema.get("required", ()), schema.get("$defs", {})
    given = [
        f"{name}: {_type(properties[name], definitions, form)}{'' if name in required else _default(properties[name])}"
        for name in _parameters(tool)
    ]
    odd = [name for name in properties if not _is_name(name)]
    given += ["**others: Any"] if odd or schema.get("additionalProperties", not properties) else []
    returned = tool.results.json_schema()
    docs = [*tool.description.strip().splitlines(), *_arguments(properties, definitions, odd)]
    docs += [f"Returns {fields}." for fields in _fields(returned, returned.get("$defs", {}))]
    text = "\n    ".join(line.replace("\\", "\\\\").replace('"', "'") for line in docs)
    result = _type(returned, returned.get("$defs", {}), form)
    return f'async def {python_name(tool.name)}({", ".join(given)}) -> {result}:\n    """{text}"""\n    ...\n'


def _arguments(properties: Schema, definitions: Schema, odd: list[str]) -> Iterator[str]:
    for name, schema in properties.items():
        words = str(schema.get("description", "")) if isinstance(schema, Mapping) else ""
        text = " ".join([*words.split(), *_fields(schema, definitions)])
        if text or name in odd:
            yield f"{name}: {text}"
    if odd:
        yield f"Give {', '.join(odd)} as in **{{{odd[0]!r}: ...}}."


def _default(schema: Any) -> str:
    value = schema.get("default", ...) if isinstance(schema, Mapping) else ...
    return f" = {value!r}" if value is None or isinstance(value, bool | int | float | str) else " = ..."


def _fields(schema: Any, definitions: Schema) -> list[str]:
    named = _type(schema, definitions, "fields")
    return [named] if "{" in named else []


def _type(schema: Any, definitions: Schema, form: _Form, depth: int = 0) -> str:  # noqa: PLR0911 - one each
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return _ANY
    if "$ref" in schema:
        return _type(definitions.get(str(schema["$ref"]).rpartition("/")[2]), definitions, form, depth + 1)
    values = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if isinstance(values, list) and all(value is None or isinstance(value, bool | int | str) for value in values):
        return _any_of([_literal(value, form) for value in values])
    kinds = schema.get("anyOf", schema.get("oneOf", schema.get("type")))
    if isinstance(kinds, list):
        inner = ({**schema, "type": kind} if isinstance(kind, str) else kind for kind in kinds)
        return _any_of([_type(each, definitions, form, depth + 1) for each in inner])
    if kinds == "array":
        return f"list[{_type(schema.get('items'), definitions, form, depth + 1)}]"
    if kinds == "object":
        return _object(schema, definitions, form, depth)
    return _SIMPLE.get(kinds, _ANY) if isinstance(kinds, str) else _ANY


def _object(schema: Schema, definitions: Schema, form: _Form, depth: int) -> str:
    properties = schema.get("properties")
    if form == "fields" and isinstance(properties, Mapping) and properties:
        named = (f"{name!r}: {_type(each, definitions, form, depth + 1)}" for name, each in properties.items())
        return f"{{{', '.join(named)}}}"
    values = schema.get("additionalProperties")
    return f"dict[str, {_type(values, definitions, form, depth + 1)}]"


def _literal(value: Any, form: _Form) -> str:
    if value is None:
        return "None"
    return type(value).__name__ if form == "checked" else f"Literal[{value!r}]"


def _any_of(kinds: list[str]) -> str:
    kinds = list(dict.fromkeys(kinds))
    return _ANY if _ANY in kinds or not kinds else " | ".join(kinds)
