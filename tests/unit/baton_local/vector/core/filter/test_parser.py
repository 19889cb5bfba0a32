import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton_local.vector.core.filter.parser import FilterError, parse_filter

WORDS = st.sampled_from(re.findall(r"\S+", "a b.c[0] AND OR NOT HAS FIELD IN GLOB CONTAINS = != < ( ) , 1 'x'"))


@pytest.mark.parametrize("text", ["", " ", "\n\t"])
def test_an_empty_filter_is_none(text: str) -> None:
    assert parse_filter(text) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a", "has the end where an operator belongs, after 'a'"),
        ("1 = a", "where a field belongs"),
        ("a LIKE 'x'", "has 'LIKE' where an operator belongs"),
        ("a =", "has the end where a string, a number or a boolean belongs"),
        ("a = b", "has 'b' where a string"),
        ("a == 1", "has '=' where a string"),
        ("a = 1)", "has ')' where AND, OR or the end belongs"),
        ("(a = 1", "has the end where ')' belongs"),
        ("()", "has ')' where a field belongs"),
        ("NOT a = 1", "has 'a' where an operator belongs, after 'NOT'"),
        ("a NOT = 1", "has '=' where an operator belongs"),
        ("a IN 1", "has '1' where '(' belongs"),
        ("a IN (1 2)", "has '2' where ')' belongs"),
        ("a GLOB 1", "has '1' where the string of GLOB belongs"),
        ("a GLOB '[x'", "has a [ without a ]"),
        ("HAS NOT a", "has 'a' where FIELD belongs"),
        ("HAS FIELD 1", "has '1' where a field belongs"),
        ("a = 'x", 'cannot be read from "\'x" on'),
        ("a & b", "cannot be read from '& b' on"),
        ("a = 1.2.3", "cannot be read"),
        ("a[-1] = 1", "where a field belongs"),
        ("a. = 1", "where a field belongs"),
        ("a = " + "9" * 5_000, "has a number of 5000 digits"),
        ("(" * 101 + "a = 1" + ")" * 101, "more than 100 parentheses"),
    ],
)
def test_an_error_names_the_place(text: str, reason: str) -> None:
    """So that the caller finds it."""
    with pytest.raises(FilterError, match=re.escape(reason)):
        parse_filter(text)


def test_a_long_chain_is_no_deep_one() -> None:
    assert parse_filter(" OR ".join(f"a = {number}" for number in range(5_000))) is not None


@given(st.one_of(st.text(), st.lists(WORDS, max_size=12).map(" ".join)))
def test_any_text_is_a_filter_or_an_error(text: str) -> None:
    try:
        parse_filter(text)
    except FilterError as error:
        assert str(error)  # noqa: PT017 - either outcome is right
