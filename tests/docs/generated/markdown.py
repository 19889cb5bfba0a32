"""Tables and lists of the generated parts, and a JSON Schema in words.

A field with `?` may be missing; one without a type is a string.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from baton.server.api.problem import Code

_FEW = 4  # so many fields stand in one line
# What has no fields of its own to show; what a protocol has defined, which its own pages have.
SHAPELESS = {"Object", "Submitted", "ResumeEntry", "RpcMessage", "RunAgentInput", "RunContext", "RunMessage", "RunTool"}


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return the table, one line a row, without a last line break."""
    lines = [head, ["---"] * len(head), *([text.replace("|", "\\|") for text in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def markdown_list(rows: Iterable[tuple[str, str]]) -> str:
    """Return a list of names, each with what it means if that is known: for parameters and options."""
    return "\n".join(f"- `{name}`: {' '.join(what.split())}" if what else f"- `{name}`" for name, what in rows)


def fields_of(schema: Mapping[str, Any]) -> str:
    """Return the fields of an object: a line each, or all in one line where they are few."""
    needed = schema.get("required", [])
    lines = [_line(field, of, needed=field in needed) for field, of in schema.get("properties", {}).items()]
    return ", ".join(f"`{line}`" for line in lines) if len(lines) <= _FEW else "\n".join(["```text", *lines, "```"])


def name_of(schema: Mapping[str, Any]) -> str:
    """Return the name of a schema of the API's document that has fields of its own to show."""
    path, _, name = schema.get("$ref", "").rpartition("/")
    return "" if path != "#/components/schemas" or name in SHAPELESS else str(name)


def _line(field: str, schema: Mapping[str, Any], *, needed: bool) -> str:
    of = _type(schema) if needed else _type(schema).removesuffix(" or null")
    default = f" = {schema['default']}" if schema.get("default") not in (None, "", []) else ""
    shown = of if needed or name_of(schema) else f"{of}{default}"
    return f"{field}{'' if needed else '?'}{'' if shown == 'string' else f': {shown}'}"


def _type(schema: Mapping[str, Any]) -> str:
    return " or ".join(dict.fromkeys(_types(schema))) or "any JSON"


def _types(schema: Mapping[str, Any]) -> Iterator[str]:
    if name_of(schema):
        yield name_of(schema)
    elif "discriminator" in schema:
        yield "command"
    elif schema.get("$ref", "").startswith("#/$defs/"):
        yield "object"
    elif "enum" in schema:
        of_codes = schema["enum"] == [code.name for code in Code]
        yield "a code of a problem" if of_codes else "/".join(map(str, schema["enum"]))
    else:
        for each in schema.get("anyOf", ()):
            yield from _types(each)
        found = schema.get("type", ())
        for name in [found] if isinstance(found, str) else found:
            yield _one_type(name, schema)


def _one_type(name: str, schema: Mapping[str, Any]) -> str:
    if name == "array" and schema.get("items"):
        return f"list of {_type(schema['items'])}"
    if name == "string" and schema.get("format") == "date-time":
        return "time"
    low, high = schema.get("minimum", schema.get("minLength")), schema.get("maximum", schema.get("maxLength"))
    return name if high is None else f"{name} {low or 0}..{high}"
