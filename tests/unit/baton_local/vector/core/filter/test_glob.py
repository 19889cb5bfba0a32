import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton_local.vector.core.filter.glob import GlobError, parse_glob


def fits(pattern: str, text: str) -> bool:
    return parse_glob(pattern).matches(text)


@pytest.mark.parametrize(
    ("pattern", "fitting", "others"),
    [
        ("*", ["", "a", "line\nbreak"], []),
        ("?", ["a", "\n", "é"], ["", "ab"]),
        ("a*c", ["ac", "abcbc"], ["a", "acb", "AC"]),
        ("[abc]", ["a", "c"], ["d", "", "ab"]),
        ("[a-c]x", ["ax", "bx"], ["dx", "-x"]),
        ("[^a-c]", ["d", "-"], ["b", ""]),
        ("[a^]", ["a", "^"], ["b"]),
        ("[]a]", ["]", "a"], ["b"]),
        ("[^]a]", ["b"], ["]", "a"]),
        ("[a-]", ["a", "-"], ["b"]),
        ("[c-a]", [], ["a", "b", "c"]),
        ("[*?]", ["*", "?"], ["a"]),
        ("a.c\\", ["a.c\\"], ["abc\\"]),
    ],
)
def test_patterns(pattern: str, fitting: list[str], others: list[str]) -> None:
    assert [text for text in fitting if not fits(pattern, text)] == []
    assert [text for text in others if fits(pattern, text)] == []


@pytest.mark.parametrize("pattern", ["[", "[]", "[^]", "[abc", "x[^"])
def test_a_bracket_that_is_not_closed_is_an_error(pattern: str) -> None:
    with pytest.raises(GlobError, match=re.escape(repr(pattern))):
        parse_glob(pattern)


def test_a_pattern_made_to_be_slow_is_not() -> None:
    """A regular expression made of it would take years."""
    assert not fits("*a" * 50 + "b", "a" * 5_000)


@given(st.text("ab*?", max_size=8), st.text("ab", max_size=10))
def test_it_agrees_with_a_regular_expression(pattern: str, text: str) -> None:
    expression = "".join({"*": ".*", "?": "."}.get(character, character) for character in pattern)
    assert fits(pattern, text) is (re.fullmatch(expression, text) is not None)
