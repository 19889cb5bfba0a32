import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton_local.stand_in.api_error import ApiError
from baton_local.vector.index import parse_filter

METADATA = {"s": "it's", "n": 5, "t": True, "none": None, "geo": {"lat": 41.5}, "in": 2, "list": [1]}


def holds(text: str) -> bool:
    wanted = parse_filter(text)
    assert wanted is not None
    return wanted(METADATA)


@pytest.mark.parametrize(
    "text",
    [
        "n = 5",
        "n=+5.0 AND s = 'it''s'",
        's = "it\'s"',
        "n >= 5 and n <= 5e0 And n > -1 AND n < 5.5",
        "n != 6 AND s != 'x'",
        "t = 1 AND t = true AND t != FALSE",
        "geo.lat > 41",
        "n IN (1, 5)",
        "s not in ('a','b')",
        "in IN (2)",
    ],
)
def test_what_holds(text: str) -> None:
    assert holds(text)


@pytest.mark.parametrize(
    "text",
    [
        *("n = '5'", "n = true", "n != true", "s > 'a'", "t > 0", "none != 1", "list != 1", "missing != 1"),
        *("missing NOT IN (1)", "s.x != 1", "n = 5 AND n = 6", "n NOT IN (5, 'x')", "s NOT IN ('a', 1)"),
    ],
)
def test_other_types_and_missing_fields_never_match(text: str) -> None:
    assert not holds(text)
    wanted = parse_filter(text)
    assert wanted is not None
    assert not wanted(None)


@pytest.mark.parametrize("text", [None, "", " \n"])
def test_an_empty_filter_is_none(text: str | None) -> None:
    assert parse_filter(text) is None


REST_OF_THE_GRAMMAR = {
    "a = 1 OR b = 2": "OR",
    "(a = 1)": r"\(",
    "a GLOB 'x*'": "GLOB",
    "a NOT CONTAINS 1": "CONTAINS",
    "a = 1 AND HAS FIELD b": "HAS",
    "a[0] = 1": r"\[",
}
NO_FILTERS = ("a", "a =", "1 = a", "a = b", "a = 1 AND", "a LIKE 'x'", "a = 'x", "a = 1 b = 2", "é = 1")


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [(text, 501, f"{what} is not emulated locally") for text, what in REST_OF_THE_GRAMMAR.items()]
    + [(text, 400, "cannot be read from .* on; write it as") for text in NO_FILTERS],
)
def test_the_rest_of_the_grammar_is_501_by_its_name_and_what_is_no_filter_400_with_its_place(
    text: str, status: int, said: str
) -> None:
    with pytest.raises(ApiError, match=f"filter: {said}") as refused:
        parse_filter(text)
    assert refused.value.status == status


@given(st.text(alphabet="ab.'\"=<>!() ,1eANDORIN", max_size=30))
def test_any_text_is_a_filter_or_refused(text: str) -> None:
    try:
        wanted = parse_filter(text)
    except ApiError:
        return
    assert wanted is None or wanted(METADATA) in {True, False}
