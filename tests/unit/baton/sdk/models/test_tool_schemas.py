"""Any schema of a tool becomes one that its provider takes, or none: here are the rules that providers refuse by."""

import json
import math
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from baton.sdk.models.provider_rules import ANTHROPIC, GOOGLE, OPENAI, ProviderRules, rules_of, strictest
from baton.sdk.models.tool_schemas import SchemaFaultError, renamed, taken_schema

RULES = {"openai": OPENAI, "anthropic": ANTHROPIC, "google": GOOGLE}
AT_TOP = {"oneOf", "anyOf", "allOf", "not", "enum", "const", "if", "then", "else"}
NAMES = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def refusals(schema: dict[str, Any], rules: ProviderRules) -> list[str]:
    """Why a provider refuses the schema, by its own words."""
    found = [f"{word} at the top" for word in AT_TOP & set(schema)]
    found += [] if schema.get("type") == "object" and "properties" in schema else ["no object with properties"]
    Draft202012Validator.check_schema(schema)
    json.dumps(schema, allow_nan=False)
    _refuse(schema, rules, schema.get("$defs", {}), found, set(), ())
    return found


def _refuse(
    part: Any, rules: ProviderRules, defs: dict[str, Any], found: list[str], seen: set[str], inside: tuple[str, ...]
) -> None:
    if isinstance(part, bool):
        return
    if "$ref" in part:
        name = part["$ref"].removeprefix("#/$defs/")
        found += [] if name in defs else [f"no {part['$ref']}"]
        found += [f"{name} is in itself"] if name in inside and not rules.nests else []
        if name not in inside and name in defs and name not in seen:
            seen.add(name)
            _refuse(defs[name], rules, defs, found, seen, (*inside, name))
        return
    kinds = part.get("type", [])
    if "array" in ([kinds] if isinstance(kinds, str) else kinds) and not isinstance(part.get("items"), dict):
        found.append("array schema missing items")
    if "format" in part and part["format"] not in rules.formats:
        found.append(f"format {part['format']}")
    if any(isinstance(one, bool | list | dict) or one is None for one in part.get("enum", ())) and not rules.enums:
        found.append("an enum of other values")
    properties = part.get("properties", {})
    found += [f"name {name!r}" for name in properties if not NAMES.fullmatch(name)]
    if properties and not set(part.get("required", ())) <= set(properties):
        found.append("required, and not defined")
    inner = [*properties.values(), *(part[word] for word in ("items", "additionalProperties", "not") if word in part)]
    for one in (*inner, *(one for word in ("anyOf", "oneOf", "allOf") for one in part.get(word, ()))):
        _refuse(one, rules, defs, found, seen, inside)


def test_the_rules_here_refuse_something() -> None:
    wrong = {"type": "object", "properties": {"a b": {"type": "array"}, "f": {"format": "phone"}}, "oneOf": [{}]}
    assert len(refusals(wrong, OPENAI)) == 4
    assert refusals({"type": "object", "properties": {"e": {"enum": [None]}}}, GOOGLE)


def of(properties: Any, **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, **more}


TEXT, NUMBER, LIST = {"type": "string"}, {"type": "integer"}, {"type": "array"}
KIDS = {"kids": LIST | {"items": {"$ref": "#/$defs/Node"}}}
NODE = {"Node": of(KIDS)}
KINDS = [
    of({"kind": {"const": "a"}, "a": NUMBER}, required=["kind"]),
    of({"kind": {"const": "b"}, "b": {}}, required=["kind", "b"]),
]
ODD_NAMES = {
    "$filter": TEXT,
    "user name": of({"größe": {}, "a" * 80: {}}, required=["größe"]),
    "": LIST | {"items": of({"x y": {}})},
    "x-y.z": {},
}
TUPLES = {
    "new": LIST | {"prefixItems": [TEXT, NUMBER], "maxItems": 2},
    "old": LIST | {"items": [TEXT], "additionalItems": False},
    "any": LIST,
}
OLDER = {"n": NUMBER | {"minimum": 1, "exclusiveMinimum": True}, "r": TEXT | {"required": True}}
ODD_VALUES = {
    "a": True,
    "b": False,
    "c": {"type": "any", "minLength": "3", "pattern": "\\p{L}(?<!x", "enum": []},
    "d": {"enum": [1, True, None, {"a": 1}, 1]},
    "e": of({"x": {}}, required=["y"]),
}
ENDLESS = {
    "a": {"type": "number", "maximum": math.inf, "exclusiveMinimum": -math.inf, "default": math.nan},
    "b": {"default": [{"x": math.inf}], "enum": [1, math.inf], "examples": [math.nan]},
}
ITSELF: dict[str, Any] = {"kids": [{"kids": []}]}
FORMATS = {name: TEXT | {"format": name} for name in ("uri", "phone", "date-time", "binary")}
# A schema, and arguments that fit it.
EXAMPLES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "one of two": (of({"id": TEXT, "email": TEXT}, oneOf=[{"required": ["id"]}, {"required": ["email"]}]), {"id": "7"}),
    "properties in its branches": ({"anyOf": KINDS}, {"kind": "b", "b": 1}),
    "all of two": ({"allOf": [{"properties": {"a": {}}, "required": ["a"]}, {"properties": {"b": {}}}]}, {"a": 1}),
    "not, and if": (
        {"type": "object", "not": {"required": ["b"]}, "if": {"required": ["a"]}, "then": {"properties": {"c": {}}}},
        {"a": 1},
    ),
    "a reference at the top": ({"$ref": "#/$defs/A", "$defs": {"A": of({"a": {}})}}, {"a": 1}),
    "definitions": (of({"a": {"$ref": "#/definitions/A"}}, definitions={"A": TEXT}), {"a": "x"}),
    "another property": (of({"a": TEXT, "b": {"$ref": "#/properties/a", "description": "d"}}), {"b": "x"}),
    "an anchor": (of({"a": {"$ref": "#x"}}, **{"$defs": {"A": {"$anchor": "x", "type": "string"}}}), {"a": "x"}),
    "itself": ({"$ref": "#/$defs/Node", "$defs": NODE}, ITSELF),
    "itself, whole": (of({"kids": LIST | {"items": {"$ref": "#"}}}), {"kids": [{}]}),
    "itself within": (of({"n": {"$ref": "#/$defs/Node", "description": "d"}}, **{"$defs": NODE}), {"n": {"kids": []}}),
    "itself, dynamic": (of({"kids": LIST | {"items": {"$dynamicRef": "#n"}}}, **{"$dynamicAnchor": "n"}), ITSELF),
    "itself, recursive": (of({"kids": LIST | {"items": {"$recursiveRef": "#"}}}, **{"$recursiveAnchor": True}), ITSELF),
    "formats": (of(FORMATS), {"phone": "1"}),
    "a number's format": (of({"n": NUMBER | {"format": "int64"}}), {"n": 1}),
    "odd names": (
        of(ODD_NAMES, required=["$filter"]),
        {"$filter": "a", "user name": {"größe": 1, "a" * 80: 2, "other key": 3}, "": [{"x y": 1}], "x-y.z": 1},
    ),
    "names alike": (of({"a b": {}, "a_b": {}, "a:b": {}}), {"a b": 1, "a_b": 2, "a:b": 3}),
    "tuples": (of(TUPLES), {"new": ["a", 1], "old": ["a"]}),
    "an older version": (
        {"$schema": "http://json-schema.org/draft-04/schema#", "id": "x", "properties": OLDER},
        {"n": 2, "r": "x"},
    ),
    "nulls": ({"type": ["object", "null"], "required": None, "properties": {"a": TEXT | {"nullable": True}}}, {}),
    "numbers without an end": (of(ENDLESS), {"a": 1, "b": 1}),
    "objects as PHP writes them": (of({"a": [], "b": of([])}, **{"$defs": []}), {"a": 1, "b": {"c": 1}}),
    "lists of nothing": (
        of({"a": {"anyOf": [False]}, "b": LIST | {"items": False}, "c": {"items": True}}),
        {"a": 1, "b": [], "c": [1]},
    ),
    "no properties": ({"type": "object", "required": ["a"]}, {"a": 1}),
    "odd values": (of(ODD_VALUES), {"a": 1}),
}
# In no words of a provider's.
NEVER: dict[str, Any] = {
    "a list": {"type": "array", "items": {}},
    "a text": {"type": "string"},
    "elsewhere": {"type": "object", "properties": {"a": {"$ref": "https://example.com/a.json"}}},
    "nowhere": {"type": "object", "properties": {"a": {"$ref": "#/$defs/None"}}},
    "no schema": {"type": "object", "properties": {"a": 5}},
    "a list of properties": {"type": "object", "properties": ["a"]},
    "nothing": None,
    "a word": "object",
}


@pytest.mark.parametrize("provider", RULES)
@pytest.mark.parametrize("name", EXAMPLES)
def test_what_can_be_said_otherwise_is(name: str, provider: str) -> None:
    schema, arguments = EXAMPLES[name]
    before = json.dumps(schema)
    taken = taken_schema(schema, RULES[provider])
    assert refusals(taken.schema, RULES[provider]) == []
    assert not re.search("dynamic|recursive", json.dumps(taken.schema))
    sent = renamed(arguments, {own: name for name, own in taken.names.items()})
    Draft202012Validator(taken.schema).validate(sent)
    assert renamed(sent, taken.names) == arguments
    assert json.dumps(schema) == before


@pytest.mark.parametrize("provider", RULES)
@pytest.mark.parametrize("name", NEVER)
def test_the_rest_is_refused(name: str, provider: str) -> None:
    with pytest.raises(SchemaFaultError):
        taken_schema(NEVER[name], RULES[provider])


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
def test_a_schema_that_is_well_stays_the_same_object(rules: ProviderRules) -> None:
    properties = {"a": {"type": "string", "description": "A."}, "b": {"type": "array", "items": {"type": "integer"}}}
    schema = {"type": "object", "properties": properties, "required": ["a"], "additionalProperties": False}
    taken = taken_schema(schema, rules)
    assert taken.schema is schema
    assert (taken.names, taken.note) == ({}, "")


def test_the_model_is_told_what_the_schema_cannot_say() -> None:
    taken = taken_schema(EXAMPLES["one of two"][0], OPENAI)
    assert taken.note.endswith('{"oneOf":[{"required":["id"]},{"required":["email"]}]}')
    odd = taken_schema(EXAMPLES["odd names"][0], OPENAI)
    assert set(odd.names.values()) == {"$filter", "user name", "größe", "a" * 80, "", "x y"}
    assert any("its name is '$filter'" in one.get("description", "") for one in odd.schema["properties"].values())
    phone = taken_schema(EXAMPLES["formats"][0], OPENAI).schema["properties"]["phone"]
    assert phone == {"type": "string", "description": "(format: phone)"}


def test_what_is_needed_in_each_case_is_required() -> None:
    schema = taken_schema(EXAMPLES["properties in its branches"][0], OPENAI).schema
    assert schema["required"] == ["kind"]
    assert schema["properties"]["kind"] == {"anyOf": [{"const": "a"}, {"const": "b"}]}


def test_what_is_large_stands_once() -> None:
    """Each definition refers twice to the next one: written out, it would have a million parts."""

    def two(number: int) -> dict[str, Any]:
        part = {"$ref": f"#/$defs/d{number}"}
        return {"type": "object", "properties": {"l": part, "r": part}}

    defs = {f"d{n}": two(n + 1) for n in range(20)} | {"d20": {"type": "string"}}
    for rules in RULES.values():
        schema = taken_schema(
            {"type": "object", "properties": {"a": {"$ref": "#/$defs/d0"}}, "$defs": defs}, rules
        ).schema
        assert refusals(schema, rules) == []
        assert len(json.dumps(schema)) < 400_000


def test_families_are_known_by_their_names() -> None:
    assert rules_of("anthropic", "claude-x") is rules_of("bedrock", "us.anthropic.claude-x") is ANTHROPIC
    assert rules_of("openrouter", "google/gemini-x") is rules_of("google-cloud", "gemini-x") is GOOGLE
    assert rules_of("openai", "gpt-x") is rules_of("groq", "llama") is OPENAI
    tokens = (OPENAI.picture_tokens, OPENAI.page_tokens, GOOGLE.audio_tokens)
    assert strictest((OPENAI, GOOGLE)) == ProviderRules(frozenset({"date-time"}), *tokens, nests=False, enums=False)


_WORDS = st.sampled_from(["a", "b", "$c", "d e", "ä"])
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 9)
    | st.sampled_from([math.inf, math.nan, -0.0])
    | st.sampled_from(["object", "array", "string", "any", "uri", "#", "x"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_WORDS, inner, max_size=2),
    max_leaves=4,
)
_KEYWORDS = st.sampled_from(
    [
        *("type", "properties", "required", "items", "prefixItems", "anyOf", "oneOf", "allOf", "not", "enum", "const"),
        *("format", "pattern", "nullable", "default", "$ref", "$id", "$defs", "additionalProperties", "minimum"),
        *(
            "$dynamicRef",
            "$dynamicAnchor",
            "examples",
            "patternProperties",
            "exclusiveMinimum",
            "minLength",
            "maxItems",
            "uniqueItems",
            "title",
            "if",
            "then",
        ),
    ]
)
_REFERENCES = st.sampled_from(["#", "#/$defs/a", "#/properties/a", "#/$defs/none"])
_SCHEMAS = st.recursive(
    st.dictionaries(_KEYWORDS, _VALUES, max_size=3)
    | st.builds(lambda kind: {"type": kind}, st.sampled_from(["string", "integer", "object", "array", "null"]))
    | st.builds(lambda reference: {"$ref": reference}, _REFERENCES),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["object", "array", ["string", "null"]]),
            "properties": st.dictionaries(_WORDS, inner, max_size=3),
            "$defs": st.dictionaries(_WORDS, inner, max_size=2),
            "required": st.lists(_WORDS, max_size=2),
            "items": inner,
            "format": st.sampled_from(["uri", "date-time", "phone"]),
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "oneOf": st.lists(inner, min_size=1, max_size=2),
            "allOf": st.lists(inner, min_size=1, max_size=2),
        },
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(schema=_SCHEMAS, provider=st.sampled_from(sorted(RULES)))
def test_any_schema_is_taken_or_left_out(schema: dict[str, Any], provider: str) -> None:
    try:
        taken = taken_schema(schema, RULES[provider])
    except SchemaFaultError:
        return
    assert refusals(taken.schema, RULES[provider]) == []
