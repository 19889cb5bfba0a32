from typing import Any

import pytest

from baton_local.vector.core.filter.matching import matches
from baton_local.vector.core.filter.parser import parse_filter


def holds(text: str, metadata: dict[str, Any] | None) -> bool:
    wanted = parse_filter(text)
    assert wanted is not None
    return matches(wanted, metadata)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = 1", True),
        ("a != 1", False),
        ("a != 2", True),
        ("a = true", False),
        ("a != true", False),
        ("a = '1'", False),
        ("a != '1'", False),
        ("t = 1", True),
        ("t != false", True),
        ("t = 0", False),
        ("t = 'true'", False),
        ("t > 0", False),
        ("s != 'y'", True),
        ("s != 1", False),
        ("n != 0", False),
        ("HAS FIELD n", True),
        ("list != 1", False),
        ("a >= 1 AND a <= 1", True),
        ("a < 1 OR a > 1", False),
        ("a > true", False),
    ],
)
def test_only_values_of_a_kind_are_compared(text: str, expected: bool) -> None:
    """A stored boolean equals 1 or 0, a stored number never equals a boolean; the wrong kind is always false."""
    metadata = {"a": 1, "t": True, "s": "x", "n": None, "list": [1], "object": {}}
    assert holds(text, metadata) is expected


@pytest.mark.parametrize(
    "text", ["x < 1", "x != 1", "x NOT IN (1)", "x NOT GLOB 'a'", "x NOT CONTAINS 1", "HAS FIELD x"]
)
@pytest.mark.parametrize("metadata", [None, {}, {"y": 1}])
def test_a_missing_field_makes_all_false_but_has_not_field(text: str, metadata: dict[str, Any] | None) -> None:
    assert not holds(text, metadata)
    assert holds("HAS NOT FIELD x", metadata)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s IN ('a', 'b')", True),
        ("s NOT IN ('a', 'c')", True),
        ("s NOT IN ('a', 1)", False),
        ("t IN (1)", True),
        ("tags CONTAINS true", True),
        ("tags NOT CONTAINS 'z'", True),
        ("s CONTAINS 'b'", False),
        ("s NOT CONTAINS 'x'", False),
        ("s GLOB 'b*'", True),
        ("s NOT GLOB 'a*'", True),
        ("tags GLOB '*'", False),
        ("n NOT GLOB 'x'", False),
    ],
)
def test_lists_and_patterns(text: str, expected: bool) -> None:
    """IN is a chain of =, NOT IN one of !=; CONTAINS looks into arrays, GLOB at strings."""
    assert holds(text, {"s": "b", "t": True, "tags": ["x", 2, True], "n": 5}) is expected


@pytest.mark.parametrize(
    ("path", "value"),
    [("a.b.c", 1), ("a.list[1].deep", 3), ("a.list[#-1]", 4), ("a.grid[1][0]", 7), ("a-b", 5), ("a.0", 6), ("_x", 8)],
)
def test_paths_lead_into_objects_and_arrays(path: str, value: int) -> None:
    """A minus may be part of a name, so there is no arithmetic."""
    a = {"b": {"c": 1}, "list": [2, {"deep": 3}, 4], "0": 6, "grid": [[], [7]]}
    assert holds(f"{path} = {value}", {"a": a, "a-b": 5, "_x": 8})


@pytest.mark.parametrize("path", ["a.list[3]", "a.list[#-4]", "a.list[#-0]", "a.list.b", "a.b[0]", "s.x", "s[0]", "A"])
def test_paths_that_lead_nowhere_are_missing(path: str) -> None:
    assert holds(f"HAS NOT FIELD {path}", {"a": {"list": [1, 2, 3], "b": {}}, "s": "text"})


def test_and_binds_tighter_than_or() -> None:
    metadata = {"a": 1, "b": 0, "c": 0}
    assert holds("a = 1 OR b = 1 AND c = 1", metadata)
    assert not holds("(a = 1 OR b = 1) AND c = 1", metadata)
    assert holds("((a = 1)) AND (b = 1 OR (c = 0 AND a = 1))", metadata)


def test_keywords_are_of_any_case_and_may_be_fields() -> None:
    metadata = {"field": 1, "contains": ["x"], "in": 2, "has": 3, "not": 4}
    text = "has field field aNd contains Contains 'x' AND in iN (2) and has = 3 and HAS NOT FIELD x aNd not = 4"
    assert holds(text, metadata)


def test_quotes_are_doubled_inside_strings() -> None:
    assert holds("s = 'it''s'", {"s": "it's"})
    assert holds('s = "it\'s"', {"s": "it's"})
    assert holds('s = "say ""x"""', {"s": 'say "x"'})
    assert holds("s = ''", {"s": ""})


@pytest.mark.parametrize(("text", "value"), [("-1", -1), ("+2", 2), (".5", 0.5), ("1.", 1), ("-1.5E-3", -0.0015)])
def test_numbers_in_every_form(text: str, value: float) -> None:
    assert holds(f"n={text}", {"n": value})


def test_large_whole_numbers_are_exact() -> None:
    assert not holds("n = 9007199254740993", {"n": 9007199254740992})
    assert holds("n < 9007199254740993", {"n": 9007199254740992})
