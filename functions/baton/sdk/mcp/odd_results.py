"""Results and lists of tools as older and careless servers send them, in the protocol's form, which the SDK requires.

Invariant: a right result stays as it is; what stands in a wrong one is kept, at least as text, or the SDK refuses it.
Imports the SDK: only calls do.
"""

from collections.abc import Mapping
from typing import Any

from mcp_types import ContentBlock
from mcp_types.methods import validate_server_result
from pydantic import TypeAdapter, ValidationError

from baton_events.ids import canonical_json
from baton_events.values.text import text_of

_BLOCK: TypeAdapter[ContentBlock] = TypeAdapter(ContentBlock)
# Of a result of the first revisions, which had no content.
_OLD = "toolResult"
# Structured content is any JSON from this revision on, and an object before it.
_ANY_JSON = "2026-07-28"
# It refers to nothing, so that no model is sent its tool, and the log and the doctor say so.
_NO_SCHEMA = {"type": "object", "$ref": "#its-schema-is-none-of-an-object"}
# Words of schemas: what is data, what is a list, and what has schemas by names.
_VALUES = frozenset({"default", "const", "enum", "examples", "required", "type"})
_LISTS = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_OF_NAMES = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs", "definitions"})
_KNOWN = frozenset({"content", "structuredContent", _OLD, "isError", "_meta", "resultType"})
_FALSE = frozenset({"", "0", "false", "no", "null", "none"})
# What the data of a picture begins with, in base64.
_PICTURES = {"iVBOR": "image/png", "/9j/": "image/jpeg", "R0lGOD": "image/gif", "UklGR": "image/webp"}


def mended(method: str, raw: dict[str, Any], version: str) -> dict[str, Any]:
    """Return a request's result in the form of this revision: of a tool, of a task with one, or a list of tools."""
    if method == "tools/list" and isinstance(raw.get("tools"), list):
        made = {**raw, "tools": [_with_objects(tool) for tool in raw["tools"]]}
        if _fits(method, made, version):
            return raw if made == raw else made
        return {**raw, "tools": [_listed(raw, tool, version) for tool in made["tools"]]}
    if method == "tasks/get" and isinstance(raw.get("result"), dict):
        return {**raw, "result": _of_tool(raw["result"], version)}
    return _of_tool(raw, version) if method == "tools/call" else raw


def _with_objects(part: Any, name: str = "") -> Any:
    """Return a tool, or a part of its schemas, with objects where PHP has written such without members as lists."""
    if part == [] and name not in _VALUES and name not in _LISTS:
        return {}
    if isinstance(part, dict) and name not in _VALUES:
        return {key: _with_objects(one, "" if name in _OF_NAMES else key) for key, one in part.items()}
    return [_with_objects(one) for one in part] if isinstance(part, list) and name in _LISTS else part


def _fits(method: str, raw: dict[str, Any], version: str) -> bool:
    """Return whether the SDK takes a result; of a revision that it does not know, it says so itself."""
    try:
        validate_server_result(method, version, raw)
    except ValidationError:
        return False
    except (KeyError, ValueError):
        return True
    return True


def _listed(raw: dict[str, Any], tool: Any, version: str) -> Any:
    """Return a tool as the SDK takes it: one whose schema is none must not hide the others of its server."""
    if not isinstance(tool, dict):
        return tool
    given, bare = tool.get("inputSchema"), {name: value for name, value in tool.items() if name != "outputSchema"}
    least = {name: tool[name] for name in ("name", "title", "description") if isinstance(tool.get(name), str)}
    kind = given.get("type") if isinstance(given, dict) else ""
    may_be_object = kind is None or (isinstance(kind, list) and "object" in kind)
    schemas: list[Any] = [{**(given or {}), "type": "object"}] if may_be_object else []
    forms = [{**one, "inputSchema": schema} for one in (bare, least) for schema in (given, *schemas, _NO_SCHEMA)]
    return next((one for one in (tool, *forms) if _fits("tools/list", {**raw, "tools": [one]}, version)), tool)


def _of_tool(raw: dict[str, Any], version: str) -> dict[str, Any]:
    content, structured, is_error = raw.get("content"), raw.get("structuredContent"), raw.get("isError")
    if content is None and structured is None:
        structured = raw.get(_OLD)
    is_known = raw.keys() <= _KNOWN or not content is structured is None
    if raw.get("resultType") not in ("complete", None) or not is_known:
        return raw
    blocks = [content] if isinstance(content, str | dict) else [] if content is None else content
    if not isinstance(blocks, list):
        return raw
    blocks = [_block(each) for each in blocks if each is not None]
    if version < _ANY_JSON and not isinstance(structured, dict | None):
        blocks, structured = blocks or [_text(structured)], None
    given = {key: value for key, value in raw.items() if key not in (_OLD, "structuredContent", "isError")}
    given |= {"content": blocks} | ({} if structured is None else {"structuredContent": structured})
    if not isinstance(raw.get("_meta", {}), dict):
        del given["_meta"]
    failed = is_error.strip().lower() not in _FALSE if isinstance(is_error, str) else bool(is_error)
    return {**given, "resultType": "complete", "isError": failed}


def _block(given: Any) -> dict[str, Any]:
    """Return a piece of content that the SDK reads: as it is, with what it lacks, or else as text."""
    block = {**given} if isinstance(given, dict) else {"type": "text", "text": given}
    kind, data = block.get("type"), block.get("data")
    if kind in ("text", None) and "text" in block:
        block |= _text(block["text"])
    elif kind in ("image", "audio") and isinstance(data, str) and not isinstance(block.get("mimeType"), str):
        named = (name for begin, name in _PICTURES.items() if data.startswith(begin))
        block["mimeType"] = next(named, "application/octet-stream")
    elif kind == "resource_link" and not isinstance(block.get("name"), str):
        block["name"] = block.get("uri")
    elif kind == "resource" and isinstance(block.get("resource"), Mapping):
        block["resource"] = {"uri": "", **block["resource"]}
    try:
        _BLOCK.validate_python(block, by_name=False)
    except ValidationError:
        text = block.get("text")
        return _text(text if kind == "text" else given)
    return block


def _text(value: Any) -> dict[str, Any]:
    try:
        text = value if isinstance(value, str) else "" if value is None else canonical_json(value)
    except (ValueError, RecursionError):
        text = text_of(value)
    return {"type": "text", "text": text}
