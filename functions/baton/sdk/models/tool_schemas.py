"""A tool's schema in words that a provider takes; what it means stays, and calls are checked by the schema as it was.

Schemas come from anywhere: a server of MCP, a library, pydantic. One that a provider refuses would refuse each request
with its tool. Invariants: a schema that is well is the same object. A name of a property that is changed is changed
back, since no other name of the tool is the same. Must not: look at anything outside of the schema.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from msgspec import Struct

from baton.sdk.models.provider_rules import NOT_AT_TOP, PROPERTY_NAME_CHARS, PROPERTY_NAMES, ProviderRules
from baton_events.ids import canonical_json, digest

_NAME, _NOT_IN_NAMES, _MARK_CHARS = re.compile(PROPERTY_NAMES), re.compile(r"[^A-Za-z0-9_.-]"), 6
_TYPES = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})
# Words about the document, which nobody calls by; `$defs` comes anew.
_DROPPED = frozenset(
    {
        *("$schema", "$id", "$anchor", "$dynamicAnchor", "$recursiveAnchor", "$comment", "$vocabulary"),
        *("$defs", "definitions", "discriminator"),
    }
)
# Where a schema refers to a part of itself, in the newest version and in older ones.
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_MAPS = frozenset({"properties", "patternProperties", "dependentSchemas"})
_LISTS = frozenset({"anyOf", "oneOf", "allOf"})
_PARTS = frozenset({"items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames"})
_LIMITS = {"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"}
# More copies of what is referred to are not made: then it stands once, and is referred to.
_MOST_PARTS, _DEEPEST, _NOTE_CHARS = 2_000, 60, 1_500


class SchemaFaultError(ValueError):
    """A schema that no provider takes, and that cannot be said otherwise."""


class TakenSchema(Struct, frozen=True):
    """A schema as it is sent. `names`: those of properties, as they are sent, and the tool's own. `note`: the rest."""

    schema: dict[str, Any]
    names: Mapping[str, str]
    note: str = ""


def taken_schema(schema: Any, rules: ProviderRules) -> TakenSchema:
    """Return the schema of a tool's arguments in words that the provider takes.

    Raises SchemaFaultError: there are none.
    """
    if not isinstance(schema, Mapping):
        raise SchemaFaultError(f"it is {type(schema).__name__}, no object")
    kept = frozenset[str]()
    while True:
        rewriting = _Rewriting(schema, rules, kept)
        try:
            found = rewriting.top()
        except _KeptError as again:
            kept |= {again.reference}
            continue
        except SchemaFaultError:
            raise
        except Exception as error:  # it is foreign data
            raise SchemaFaultError(f"it is no JSON schema: {type(error).__name__}") from error
        return TakenSchema(schema, {}) if found.schema == schema else found  # type: ignore[arg-type]


def renamed(value: Any, names: Mapping[str, str]) -> Any:
    """Return arguments with these names of properties changed: the same object where none is in them."""
    if isinstance(value, dict):
        made = {names.get(name, name): renamed(one, names) for name, one in value.items()}
        same = made.keys() == value.keys() and all(made[name] is one for name, one in value.items())
        return value if same else made
    if isinstance(value, list):
        items = [renamed(one, names) for one in value]
        return value if all(one is old for one, old in zip(items, value, strict=True)) else items
    return value


class _KeptError(Exception):
    """This reference stays one: what it refers to contains it, or is too large."""

    def __init__(self, reference: str) -> None:
        super().__init__(reference)
        self.reference = reference


class _Rewriting:
    """One schema; `kept`: references that stay."""

    def __init__(self, root: Mapping[str, Any], rules: ProviderRules, kept: frozenset[str]) -> None:
        self._root, self._rules, self._kept = root, rules, kept
        self._defs: dict[str, dict[str, Any]] = {}
        self._names: dict[str, str] = {}
        self._parts = 0

    def top(self) -> TakenSchema:
        """Return the whole schema: an object with properties, and nothing that is refused at the top."""
        root, path = dict(self._root), tuple[str, ...]()
        while isinstance(reference := root.get("$ref"), str) and len(path) < _DEEPEST:
            root = {**_found(self._root, reference), **{name: one for name, one in root.items() if name != "$ref"}}
            path = (*path, reference)
        found = self._part(root, path if self._rules.nests else ())
        if "object" not in _types(found.get("type", "object")):
            raise SchemaFaultError(f"its arguments are of type {found['type']!r}, and no object")
        more = {name: found.pop(name) for name in NOT_AT_TOP if name in found}
        found = {"type": "object", **found, "properties": dict(found.get("properties", {}))}
        found["type"] = "object"
        _fold(found, more)
        self._require(found)
        if self._defs:
            found["$defs"] = {_key(reference): one for reference, one in self._defs.items()}
        note = f"The arguments must fit this JSON schema, too: {canonical_json(more)[:_NOTE_CHARS]}" if more else ""
        return TakenSchema(found, self._names, note)

    def _part(self, schema: Any, path: tuple[str, ...]) -> dict[str, Any]:
        """Return a part of the schema. `path`: the references that it is inside of."""
        if schema is True or schema == []:  # as PHP writes an object without members
            return {}
        if not isinstance(schema, Mapping):
            raise SchemaFaultError(f"a part of it is {canonical_json(schema)[:80]}, and no schema")
        self._parts += 1
        if len(path) > _DEEPEST:
            raise SchemaFaultError("its references are too deep")
        if (reference := next(filter(_is_text, map(schema.get, _REFERENCES)), None)) is not None:
            return self._referred(reference, {n: one for n, one in schema.items() if n not in _REFERENCES}, path)
        found = dict[str, Any]()
        for name, value in schema.items():
            if value is None or name in _DROPPED or not _SHAPES.get(name, _is_json)(value):
                continue
            found[name] = self._word(name, value, path)
            if name in _LISTS and not found[name]:
                del found[name]
        self._mend(found)
        return found

    def _word(self, name: str, value: Any, path: tuple[str, ...]) -> Any:
        if name in _MAPS and isinstance(value := value or {}, Mapping):
            rename = self._sent_name if name != "patternProperties" else str
            parts = {rename(one): self._part(part, path) for one, part in value.items() if part is not False}
            for sent in parts.keys() & self._names.keys() if name == "properties" else ():
                _describe(parts[sent], f"its name is {self._names[sent]!r}")
            return parts
        if name in _LISTS and isinstance(value, list):
            return [self._part(one, path) for one in value if one is not False]
        if name in ("items", "prefixItems") and isinstance(value, list):
            return [self._part(one, path) for one in value]
        if name in _PARTS and not isinstance(value, bool):
            return self._part(value, path)
        if name == "required" and isinstance(value, list):
            return [self._sent_name(one) for one in dict.fromkeys(value) if isinstance(one, str)]
        return value

    def _referred(self, reference: str, beside: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
        target = _found(self._root, reference)
        if reference in path and not self._rules.nests:
            kind = target.get("type") if isinstance(target, Mapping) else None
            return {"type": kind} if kind in _TYPES else {}
        if reference in self._kept:
            if reference not in self._defs:
                self._defs[reference] = {}
                self._defs[reference] = self._part(target, (*path, reference))
            kept: dict[str, Any] = {"$ref": f"#/$defs/{_key(reference)}"}
            return {"anyOf": [kept], "description": text} if (text := beside.get("description")) else kept
        if reference in path or self._parts > _MOST_PARTS:
            raise _KeptError(reference)
        if not isinstance(target, Mapping):
            return self._part(target, path)
        return self._part({**target, **beside}, (*path, reference))

    def _mend(self, found: dict[str, Any]) -> None:
        """Give a part the form that the newest version of JSON Schema has, and that the provider takes."""
        _merge(found)
        kinds = [kind for kind in _types(found.get("type", [])) if kind in _TYPES]
        if found.pop("nullable", False) is True and kinds and "null" not in kinds:
            kinds.append("null")
        found.pop("type", None)
        if kinds:
            found["type"] = kinds[0] if len(kinds) == 1 else kinds
        for exclusive, limit in _LIMITS.items():
            if isinstance(found.get(exclusive), bool):
                is_exclusive = found.pop(exclusive)
                if is_exclusive and limit in found:
                    found[exclusive] = found.pop(limit)
        self._mend_values(found)
        if "array" in kinds or "items" in found or "prefixItems" in found:
            _mend_items(found)
        if "properties" in found:
            self._require(found)
        elif not isinstance(found.get("required", []), list):
            del found["required"]

    def _mend_values(self, found: dict[str, Any]) -> None:
        if values := found.get("enum"):
            plain = [one for one in values if isinstance(one, str) or _is_number(one)]
            taken = list(filter(_is_json, values)) if self._rules.enums else plain
            found["enum"] = list({canonical_json(one): one for one in taken}.values())
        if "enum" in found and not found["enum"]:
            del found["enum"]
        if isinstance(pattern := found.get("pattern"), str) and not _compiles(pattern):
            del found["pattern"]
            _describe(found, f"pattern: {pattern}")
        if isinstance(shape := found.get("format"), str) and shape not in self._rules.formats:
            del found["format"]
            _describe(found, f"format: {shape}")

    def _require(self, found: dict[str, Any]) -> None:
        """Let each name that is required be one of a property: where it is none, of one that may be anything."""
        properties, required = found.get("properties"), found.get("required")
        if not isinstance(properties, dict):
            raise SchemaFaultError("its properties are no object")
        by_flag = [name for name, one in properties.items() if one.get("required") is True]
        for one in properties.values():
            if isinstance(one.get("required"), bool):
                del one["required"]
        names = list(dict.fromkeys([*(required if isinstance(required, list) else ()), *by_flag]))
        for name in names:
            properties.setdefault(name, {})
        if names:
            found["required"] = names
        elif required is not None:
            del found["required"]

    def _sent_name(self, name: str) -> str:
        if _NAME.fullmatch(name):
            return name
        begin = _NOT_IN_NAMES.sub("_", name)[: PROPERTY_NAME_CHARS - _MARK_CHARS - 1]
        sent = f"{begin}_{digest(name)[:_MARK_CHARS]}"
        self._names[sent] = name
        return sent


def _is_json(value: Any) -> bool:
    """Return whether a request can have the value: it is no number without an end."""
    try:
        canonical_json(value)
    except ValueError:
        return False
    return True


def _is_number(value: Any) -> bool:
    return _is_limit(value) and not isinstance(value, bool)


def _is_limit(value: Any) -> bool:
    return isinstance(value, int | float) and _is_json(value)  # a flag is one of an older version


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


_COUNTS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
# Words whose values of another shape say nothing, and are left out.
_SHAPES: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(_COUNTS, lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= 0),
    **dict.fromkeys(("minimum", "maximum"), _is_number),
    **dict.fromkeys(_LIMITS, _is_limit),
    **dict.fromkeys(("title", "description", "pattern", "format", *_REFERENCES), _is_text),
    "examples": lambda value: isinstance(value, list) and _is_json(value),
    **dict.fromkeys(("enum", *_LISTS), lambda value: isinstance(value, list) and bool(value)),
    **dict.fromkeys(("patternProperties", "dependentSchemas"), lambda value: isinstance(value, Mapping)),
    **dict.fromkeys(("properties", *_PARTS), lambda _: True),
    "multipleOf": lambda value: _is_number(value) and value > 0,
    "uniqueItems": lambda value: isinstance(value, bool),
    "type": lambda value: isinstance(value, str) or (isinstance(value, list) and all(map(_is_text, value))),
    "prefixItems": lambda value: isinstance(value, list),
}


def _types(given: Any) -> list[Any]:
    return given if isinstance(given, list) else [given]


def _key(reference: str) -> str:
    name = _NOT_IN_NAMES.sub("_", reference.rpartition("/")[2])
    return name if reference == f"#/$defs/{name}" else f"{name or 'schema'}_{digest(reference)[:_MARK_CHARS]}"


def _found(root: Mapping[str, Any], reference: str) -> Any:
    """Return the part of the schema that a reference names: by its place, by its anchor, or the whole.

    Raises SchemaFaultError: it names nothing in it.
    """
    place = reference.removeprefix(str(root.get("$id") or "\0"))
    if place in ("", "#"):
        return root
    if place.startswith("#/"):
        found: Any = root
        for step in place[2:].split("/"):
            name = unquote(step).replace("~1", "/").replace("~0", "~")
            if isinstance(found, Mapping) and name in found:
                found = found[name]
            elif (
                isinstance(found, Sequence)
                and not isinstance(found, str)
                and name.isdecimal()
                and int(name) < len(found)
            ):
                found = found[int(name)]
            else:
                break
        else:
            return found
    named = (
        (one, {f"#{one.get('$anchor')}", f"#{one.get('$dynamicAnchor')}", str(one.get("$id"))})
        for one in _all_parts(root)
    )
    anchored = next((one for one, names in named if reference in names), None)
    if anchored is None:
        raise SchemaFaultError(f"it refers to {reference[:80]!r}, which is not in it")
    return anchored


def _all_parts(schema: Any) -> Iterator[Mapping[str, Any]]:
    waiting = [schema]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Mapping):
            yield one
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return False
    return True


def _describe(found: dict[str, Any], text: str) -> None:
    if "$ref" in found:  # which takes nothing beside it
        found["anyOf"] = [{"$ref": found.pop("$ref")}]
    known = found.get("description")
    found["description"] = f"{known} ({text})" if isinstance(known, str) and known else f"({text})"


def _merge(found: dict[str, Any]) -> None:
    """Fold a part's `allOf` into it, as far as its members are not about the same words."""
    if not isinstance(members := found.get("allOf"), list):
        return
    left = list[dict[str, Any]]()
    for one in members:
        clash = [name for name, value in one.items() if name in found and found[name] != value]
        if set(clash) - {"properties", "required", "description", "title"}:
            left.append(one)
            continue
        properties = {**one.get("properties", {}), **found.get("properties", {})}
        required = [*found.get("required", ()), *one.get("required", ())]
        found.update({name: value for name, value in one.items() if name not in found})
        found |= {"properties": properties} if properties else {}
        found |= {"required": list(dict.fromkeys(required))} if required else {}
    if left:
        found["allOf"] = left
    else:
        del found["allOf"]


def _mend_items(found: dict[str, Any]) -> None:
    """Let an array say what its items are: providers refuse one that does not, and lists of items by their place."""
    by_place = found.pop("prefixItems", None)
    if isinstance(found.get("items"), list):
        by_place, rest = found.pop("items"), found.pop("additionalItems", True)
        found |= {} if rest is True else {"items": rest}
    if by_place is None:
        found["items"] = given if isinstance(given := found.get("items"), dict) else {}
        return
    is_all = found.get("items") is False or found.get("maxItems") == len(by_place)
    others = [] if is_all else [one for one in [found.get("items")] if isinstance(one, dict) and one]
    kinds = list({canonical_json(one): one for one in (*by_place, *others)}.values())
    open_ended = not is_all and not others
    found["items"] = {} if open_ended or not kinds else kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    if is_all:
        found["maxItems"] = len(by_place)


def _fold(found: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Fold what stands at the top beside the properties into them; `found` changes."""
    properties, own = found["properties"], set(found["properties"])
    for word in ("allOf", "anyOf", "oneOf"):
        branches = [one for one in more.get(word, ()) if isinstance(one, dict)]
        for branch in branches:
            for name, part in branch.get("properties", {}).items():
                if name not in properties:
                    properties[name] = part
                elif name not in own and properties[name] != part:
                    properties[name] = {"anyOf": [*_choices(properties[name]), *_choices(part)]}
        needed = [set(one.get("required") or ()) for one in branches]
        common = (set.union if word == "allOf" else set.intersection)(*needed) if needed else set[str]()
        found["required"] = [*found.get("required", ()), *sorted(common - set(found.get("required", ())))]
    if isinstance(then := more.get("then"), dict):
        others = otherwise.get("properties", {}) if isinstance(otherwise := more.get("else"), dict) else {}
        for name, part in {**then.get("properties", {}), **others}.items():
            properties.setdefault(name, part)


def _choices(part: dict[str, Any]) -> list[Any]:
    return part["anyOf"] if set(part) == {"anyOf"} else [part]
