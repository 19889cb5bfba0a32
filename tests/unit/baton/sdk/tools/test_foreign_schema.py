"""Schemas of others: they are data, so nothing that they refer to is read, and no check of them takes long."""

import socket
import time
import tracemalloc
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from baton.sdk.tools.arguments import InvalidArguments
from baton.sdk.tools.foreign_schema import JsonSchema

# Generous: the machine may be busy. Without a bound these take minutes, or never end.
MOST_SECONDS = 8


def faults(schema: dict[str, Any], value: Any) -> tuple[str, ...]:
    try:
        JsonSchema("t", schema).check(value)
    except InvalidArguments as error:
        return error.faults
    return ()


def of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


@pytest.fixture
def address() -> Any:
    """Somebody who would notice a connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize(
    "schema",
    [
        lambda url: of(x={"$ref": f"http://{url}/schema"}),
        lambda url: of(x={"$ref": f"https://{url}/schema#/a"}),
        lambda url: of(x={"$dynamicRef": f"http://{url}/schema#meta"}),
        lambda url: {"$id": f"http://{url}/base/", **of(x={"$ref": "other"})},
        lambda url: of(x={"$id": f"http://{url}/base/", "$ref": "other"}),
        lambda url: {"$schema": "http://json-schema.org/draft-07/schema#", **of(x={"$ref": f"http://{url}/schema"})},
        lambda url: {
            "$schema": "https://json-schema.org/draft/2019-09/schema",
            **of(x={"$schema": "http://json-schema.org/draft-04/schema#", "$ref": f"http://{url}/schema"}),
        },
        lambda url: of(x={"allOf": [{"not": {"$ref": f"http://{url}/schema"}}]}),
        lambda url: of(x={"$ref": f"ftp://{url}/schema"}),
    ],
)
def test_no_reference_leaves_the_schema(address: str, schema: Any) -> None:
    [fault] = faults(schema(address), {"x": "y"})
    assert "which is not in it; nothing else is read" in fault


def test_no_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_text('{"type": "integer"}')
    [fault] = faults(of(x={"$ref": (tmp_path / "secret.json").as_uri()}), {"x": "y"})
    assert "nothing else is read" in fault


def test_references_within_the_schema_work() -> None:
    """By pointer, anchor, base and recursion, also where a part names a version of its own."""
    tree = {
        "$id": "https://example.com/tree",
        **of(left={"$ref": "#"}, right={"$ref": "tree"}, leaf={"$ref": "#leaf"}, size={"$ref": "#/$defs/size"}),
        "$defs": {
            "leaf": {"$anchor": "leaf", "type": "string"},
            "size": {"$schema": "http://json-schema.org/draft-07/schema#", "type": "integer"},
        },
    }
    assert faults(tree, {"left": {"right": {"leaf": "a", "size": 3}}}) == ()
    assert faults(tree, {"left": {"right": {"leaf": 7}}, "size": "x"}) == (
        "left.right.leaf: does not fit type: string",
        "size: does not fit type: integer",
    )


SLOW = "^(a+)+$"


@pytest.mark.parametrize(
    "schema",
    [
        of(x={"pattern": SLOW}),
        of(x={"pattern": r"^(a|a)*b\1$"}),
        of(x={"pattern": "^" + "(.*)*" * 90 + "!$"}),
        of(x={"pattern": "|".join(f"a{n}b" for n in range(20_000))}),
        of(x={"pattern": "(" * 5_000 + ")" * 5_000}),
        of(
            **{f"x{n}": {"pattern": SLOW} for n in range(500)},
            x={"allOf": [{"pattern": f"{SLOW}|{n}"} for n in range(500)]},
        ),
        {"patternProperties": {SLOW: {"type": "integer"}}, "additionalProperties": False},
        {"patternProperties": {SLOW: {"type": "integer"}}, "unevaluatedProperties": False},
        {"propertyNames": {"pattern": SLOW}},
        {"$schema": "http://json-schema.org/draft-04/schema#", **of(x={"pattern": SLOW})},
        of(x={"$schema": "http://json-schema.org/draft-07/schema#", "allOf": [{"pattern": SLOW}]}),
        of(x={"format": "regex"}),
    ],
    ids=str,
)
def test_no_pattern_takes_long(schema: dict[str, Any]) -> None:
    long_text = "a" * 4_000 + "!"
    began = time.monotonic()
    faults(schema, {"x": long_text, long_text: "y"})
    assert time.monotonic() - began < MOST_SECONDS


def doubled(keyword: str, leaf: Any, levels: int = 60) -> dict[str, Any]:
    """A schema that is checked twice at each level: 2^60 times in all."""
    names = [f"s{n}" for n in range(levels)]
    parts: dict[str, Any] = {name: {keyword: [{"$ref": f"#/$defs/{below}"}] * 2} for name, below in pairwise(names)}
    return {**of(x={"$ref": "#/$defs/s0"}), "$defs": {**parts, names[-1]: leaf}}


def named(count: int, **part: Any) -> dict[str, Any]:
    return {"$defs": {f"d{n}": {**part, "$id": f"i{n}", "$anchor": f"a{n}"} for n in range(count)}}


MANY = [{"n": n} for n in range(3_000)]
LONG_NAME = "z" * 90_000


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (doubled("allOf", {"type": "string"}), "y"),
        (doubled("anyOf", {"type": "integer"}), "y"),
        (doubled("oneOf", {"type": "integer"}), "y"),
        ({**doubled("allOf", {}), "unevaluatedProperties": False}, {"a": 1}),
        (of(x={"anyOf": [{"$ref": "#/properties/x"}] * 2}), "y"),
        (of(x={"$dynamicRef": "#a", "$dynamicAnchor": "a"}), "y"),
        (of(x={"anyOf": [{"type": "integer", "n": n} for n in range(5_000)]}), MANY),
        (of(x={"items": {"enum": list(range(10_000))}}), MANY),
        (of(x={"items": {"properties": {f"p{n}": {} for n in range(5_000)}}}), MANY),
        (of(x={"allOf": [{"uniqueItems": True, "n": n} for n in range(3_000)]}), MANY),
        (of(x={"contains": {"contains": {"contains": {}}}}), [[[n] * 50] * 50 for n in range(20)]),
        (of(x={"multipleOf": 5e-324}), 10**300),
        (of(x={"multipleOf": 0.1}), 10**400),
        (of(x={"dependentSchemas": {"a": {"$ref": "#"}, "b": {"$ref": "#"}}}), {"a": {}, "b": {}}),
        *(
            ({**named(count), **of(x={"items": {"$id": base, "$ref": reference}})}, MANY)
            for count in (900, 3_000)
            for base, reference in (("u", "i800"), ("i800", "#a800"))
        ),
        (
            {**named(900, **{"$dynamicAnchor": "n"}), "$dynamicAnchor": "n", **of(x={"items": {"$dynamicRef": "#n"}})},
            MANY,
        ),
        ({"$id": "http://x/" + "a/" * 45_000, **of(x={"items": {"$id": "b"}})}, MANY),
        (of(x={"anyOf": [{"items": {"dependentRequired": {"n": [f"p{n}" for n in range(9_000)]}}}]}), MANY),
        (of(x={"items": {"dependentRequired": {"n": ["n"] * 90_000}}}), MANY),
        (of(x={"allOf": [{"items": {}}] * 1_000}), MANY),
    ],
)
def test_no_check_takes_long(schema: dict[str, Any], value: Any) -> None:
    began = time.monotonic()
    faults(schema, {"x": value})
    assert time.monotonic() - began < MOST_SECONDS


@pytest.mark.parametrize("part", [{"enum": [LONG_NAME]}, {"const": LONG_NAME}, {"not": {"title": LONG_NAME}}])
def test_faults_that_nobody_is_shown_take_no_memory(part: dict[str, Any]) -> None:
    faults({}, {})  # imports
    tracemalloc.start()
    try:
        faults(of(x={"anyOf": [{"items": part}]}), {"x": MANY})
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_a_deep_schema_and_a_deep_value_are_no_end_of_the_process() -> None:
    deep, nested = {"type": "string"}, "y"
    for _ in range(5_000):
        deep, nested = of(x=deep), {"x": nested}  # type: ignore[assignment]
    faults(deep, nested)
    faults(of(x={"$ref": "#"}), nested)


@pytest.mark.parametrize(
    ("schema", "value", "fits"),
    [
        (of(x={"pattern": "^[a-z]+$"}), {"x": "abc"}, True),
        (of(x={"pattern": "^[a-z]+$"}), {"x": "a1"}, False),
        (of(x={"pattern": r"^(?!\.)(?!.*\.\.)[\w.]+@\w+$"}), {"x": "a.b@c"}, True),
        (of(x={"pattern": r"^(?!\.)(?!.*\.\.)[\w.]+@\w+$"}), {"x": "a..b@c"}, False),
        (of(x={"pattern": r"^\p{L}+$"}), {"x": "é"}, True),
        (of(x={"pattern": "("}), {"x": "no pattern: left to the server"}, True),
        (of(x={"pattern": "^a$"}), {"x": 3}, True),
        ({"patternProperties": {"^n_": {"type": "integer"}}}, {"n_a": 1}, True),
        ({"patternProperties": {"^n_": {"type": "integer"}}}, {"n_a": "1"}, False),
        ({"patternProperties": {"^n_": {}}, "additionalProperties": False}, {"n_a": 1}, True),
        ({"patternProperties": {"^n_": {}}, "additionalProperties": False}, {"m": 1}, False),
        ({**of(a={}), "additionalProperties": {"type": "integer"}}, {"a": "x", "b": 1}, True),
        ({**of(a={}), "additionalProperties": {"type": "integer"}}, {"a": "x", "b": "1"}, False),
        (of(x={"uniqueItems": True}), {"x": [1, "1", {"a": 1}, [1]]}, True),
        (of(x={"uniqueItems": True}), {"x": [{"a": 1, "b": 2}, {"b": 2, "a": 1}]}, False),
    ],
)
def test_what_can_be_checked_is_checked(schema: dict[str, Any], value: Any, fits: bool) -> None:
    assert (faults(schema, value) == ()) is fits


def test_a_fault_is_short_and_tells_no_value() -> None:
    wide = of(**{f"x{n}": {"enum": ["z" * 50_000]} for n in range(100)})
    found = faults(wide, {f"x{n}": "s3cret" for n in range(100)})
    assert len(found) == 20
    assert all(len(line) < 300 and "s3cret" not in line for line in found)
    [fault] = faults(of(x={"type": "no such type"}), {"x": "s3cret"})
    assert fault == "its schema is no JSON schema: 'no such type'"


def test_faults_are_in_the_order_of_their_places_and_end_where_there_is_no_room() -> None:
    schema = of(b={"type": "array", "items": {"const": "z" * 150}}, a={"enum": ["z" * 300]})
    places = [line.partition(":")[0] for line in faults(schema, {"b": [1], "a": 1})]
    assert places == ["a", "b[0]"]
    assert all(line.endswith("z…") for line in faults(of(a={"enum": ["z" * 300]}), {"a": 1}))


def test_a_large_value_takes_more_of_the_steps() -> None:
    """Each of its texts and keys counts, also in objects, and a pattern of properties counts for each name."""
    one_fault: dict[str, Any] = {"not": {}}
    many = {"allOf": [{"minProperties": 0, "minItems": 0}] * 400, **one_fault}
    for large in ({"k" * 250_000: 1}, {"k": "v" * 250_000}, ["v" * 250_000], {"k": ["v" * 250_000]}):
        assert faults(of(x=many), {"x": {"k": 1} if isinstance(large, dict) else [1]}) != ()
        assert faults(of(x=many), {"x": large}) == ()


NAMES = ("type", "properties", "items", "$ref", "pattern", "patternProperties", "enum", "anyOf", "not", "uniqueItems")
ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(("object", "string", "#", "x", "(", "^a")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), ODD, max_size=4), st.dictionaries(st.sampled_from("xy"), ODD))
def test_no_schema_raises_anything_else(schema: dict[str, Any], value: dict[str, Any]) -> None:
    faults(schema, value)


SIMPLE = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(("object", "string", "integer", "array")),
        "pattern": st.sampled_from(("^a", "b$", "[0-9]+")),
        "patternProperties": st.just({"^x": {"type": "integer"}}),
        "additionalProperties": st.booleans() | st.just({"type": "string"}),
        "properties": st.just({"y": {"minimum": 3}}),
        "uniqueItems": st.booleans(),
    },
)
VALUES = st.recursive(
    st.integers(0, 5) | st.sampled_from(("ab", "b", "12")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(("x", "xx", "y", "z")), inner),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(SIMPLE, VALUES)
def test_our_keywords_decide_as_the_librarys(schema: dict[str, Any], value: Any) -> None:
    assert (faults(of(v=schema), {"v": value}) == ()) is Draft202012Validator(schema).is_valid(value)
