"""Which words of a question matter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton.models.demo.relevance import search_words, stem, wants_name, wants_number


@pytest.mark.parametrize(
    ("word", "stemmed"),
    [
        ("lenses", "lens"),
        ("lens", "lens"),
        ("houses", "house"),
        ("keepers", "keeper"),
        ("watches", "watch"),
        ("glass", "glass"),
        ("pharos", "pharos"),
        ("invented", "invent"),
        ("lighting", "light"),
        ("king", "king"),
        ("red", "red"),
        ("gas", "gas"),
        ("keeper's", "keeper"),
    ],
)
def test_endings_that_a_text_may_lack_are_taken_off(word: str, stemmed: str) -> None:
    """So that a search for the word finds its other forms."""
    assert stem(word) == stemmed


def test_small_words_are_dropped_and_order_is_kept() -> None:
    """What is left is worth searching for."""
    assert search_words("How did the Fresnel lenses reach the U.S. lighthouses in 1852?") == (
        "fresnel",
        "lens",
        "reach",
        "lighthouse",
        "1852",
    )


@pytest.mark.parametrize("question", ["", "   ", "?!", "What is it about, then?", "how how how"])
def test_a_question_without_distinctive_words_gives_none(question: str) -> None:
    """Nothing is searched for then."""
    assert search_words(question) == ()


def test_a_question_requests_a_counter_or_a_name() -> None:
    """Sentences that have one are preferred for such questions."""
    assert wants_number("When was it lit?")
    assert wants_number("How high is it?")
    assert not wants_number("How does it work?")
    assert wants_name("Who built it?")
    assert not wants_name("What is it?")


@given(st.text(max_size=300))
def test_any_text_is_a_question(text: str) -> None:
    """Whatever people type, the words are few, distinct and stable."""
    words = search_words(text)
    assert len(words) == len(set(words)) <= 5
    assert search_words(text) == words
