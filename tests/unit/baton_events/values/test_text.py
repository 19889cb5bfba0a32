"""Storable text: pairs are joined, lone halves replaced, and nothing that a value says of itself raises."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json

from baton_events.values.text import Joiner, cut, is_storable, replaced_chars, storable, storable_json, text_of
from tests.values.odd import Lying

# Any text at all, halves of pairs included.
TEXTS = st.text(st.characters(exclude_categories=()))


class SilentError(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


@given(TEXTS)
def test_what_is_storable_is_utf_8_and_stays_as_it_is(text: str) -> None:
    stored = storable(text)
    assert (is_storable(stored), storable(stored)) == (True, stored)
    assert len(stored) <= len(text)
    assert stored == text or not is_storable(text)


def test_halves_of_a_pair_are_joined_and_lone_ones_replaced_and_counted() -> None:
    before = replaced_chars()
    assert (storable("good \ud83d\ude00 day"), replaced_chars()) == ("good \U0001f600 day", before)
    assert (storable("\ude00a\ud83d"), replaced_chars()) == ("\ufffda\ufffd", before + 2)


@given(TEXTS, st.lists(st.integers(0, 20)))
def test_pieces_joined_are_the_whole_text(text: str, lengths: list[int]) -> None:
    joiner, told, at = Joiner(), "", 0
    for length in lengths:
        told += joiner.next(text[at : at + length])
        at += length
    assert told + joiner.next(text[at:]) + joiner.rest() == storable(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (SilentError(), "<a SilentError without text: ValueError>"),
        (Lying("plain"), "plain"),
        (ValueError("a\ud800"), "a\ufffd"),
        (None, "None"),
        ({"a": 1}, "{'a': 1}"),
        pytest.param(10**5_000, "<a int without text: ValueError>", id="huge"),
    ],
)
def test_any_value_says_what_it_is(value: object, text: str) -> None:
    assert text_of(value) == text


class HidingError(ExceptionGroup[Exception]):
    @property
    def exceptions(self) -> tuple[Exception, ...]:
        raise RuntimeError


def test_a_group_says_what_each_of_its_errors_is() -> None:
    """One line each, also of groups in it, and of errors without a text, or with several lines."""
    inner = ExceptionGroup("inner", [KeyError("k"), HidingError("hides", [SilentError(), ValueError("a\n  b")])])
    group = BaseExceptionGroup("outer", [PermissionError("no access to ledger 7"), inner, KeyboardInterrupt()])
    assert text_of(group).split("\n") == [
        "outer (3 sub-exceptions)",
        "PermissionError: no access to ledger 7",
        "KeyError: 'k'",
        "SilentError: <a SilentError without text: ValueError>",
        "ValueError: a b",
        "KeyboardInterrupt",
    ]
    wrapping = OSError("cannot book: outer (3 sub-exceptions)")
    wrapping.__cause__ = group
    assert text_of(wrapping) == f"cannot book: {text_of(group)}"
    wrapping.args = (text_of(group),)
    assert text_of(wrapping) == text_of(group)
    many = ExceptionGroup("m", [ValueError(str(number)) for number in range(25)])
    assert text_of(many).split("\n")[20:] == ["ValueError: 19", "and 5 more"]


def test_a_long_text_is_cut_with_a_mark() -> None:
    assert [cut(text, 4) for text in ("abcd", "abcde", "ab\ud83d\ude00")] == ["abcd", "abc…", "ab\U0001f600"]


PIECES = ["\ud83d", "\ude00", "\ud800", "\udfff", "a", "\\", "\n", "é", '"', "\\ud800."]


@given(st.lists(st.sampled_from(PIECES), max_size=9))
def test_json_of_any_text_has_a_storable_text(pieces: list[str]) -> None:
    """As `storable` makes of the text, whatever its escapes look like."""
    text = "".join(pieces)
    assert from_json(storable_json(json.dumps([text]).encode())) == [storable(text)]


def test_json_without_halves_stays_as_it_is() -> None:
    before = replaced_chars()
    body = rb'["\ud83d\ude00", "\\ud800", "\u00e9"]'
    assert (storable_json(body), replaced_chars()) == (body, before)
    assert (storable_json(rb'["\ud800x\uDC00"]'), replaced_chars()) == (rb'["\ufffdx\ufffd"]', before + 2)
