import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton_local.vector.core.querying import scorer
from baton_local.vector.core.record import Vector
from baton_local.vector.embeddings import hashed_text, hashing_model

# The vector of `hello hello`: the word twice, one pair, five trigrams twice each.
KEPT = {39: 0.2132, 58: 0.8528, 158: 0.2132, 191: -0.2132, 223: 0.2132, 237: -0.2132, 332: -0.2132}


def score(one: str, other: str) -> float:
    first, second = hashing_model().vectors_of([one, other])
    return scorer(first)(second)


def test_the_same_text_has_the_same_vector_everywhere() -> None:
    """In a process with another hash seed; and for good, since vectors are kept on disk."""
    program = "from baton_local.vector.embeddings import hashed_text; print(hashed_text('Crème brûlée, twice', 384))"
    done = subprocess.run([sys.executable, "-c", program], env={"PYTHONHASHSEED": "7"}, capture_output=True, check=True)
    vector = hashed_text("Crème brûlée, twice", 384)
    assert done.stdout.decode().strip() == str(vector)
    kept = {place: round(number, 4) for place, number in enumerate(hashed_text("hello hello", 384)) if number}
    assert kept == KEPT


@pytest.mark.parametrize(
    ("text", "nearer", "farther"),
    [
        ("a red lamp", "the lamp is red", "a blue door"),
        ("lighthouses", "a lighthouse", "greenhouse"),
        ("swimming", "swim", "running"),
        ("Größe", "GRÖSSE größe", "Masse"),
    ],
)
def test_shared_words_and_word_forms_are_near(text: str, nearer: str, farther: str) -> None:
    """Meaning is not known to it (vector-rest.md 8)."""
    assert score(text, nearer) > score(text, farther)


def test_case_and_compatibility_forms_do_not_count() -> None:
    """NFKC after lower-casing; what is between words does not count either."""
    assert score("The ﬁrst LAMP", "the first...lamp") == 1
    assert score("one two", "two one") < 1


@given(st.text(st.characters(codec="utf-8")))
def test_any_text_has_a_direction(text: str) -> None:
    vector = hashed_text(text, 384)
    assert math.hypot(*vector) == pytest.approx(1)


def test_texts_without_words_differ() -> None:
    assert score("!?", "...") < 1
    assert score("", "!") < 1


def test_a_model_has_the_dimension_that_the_index_wants() -> None:
    model = hashing_model(16)
    assert (model.name, model.dimension) == ("BATON_HASH_16", 16)
    (vector,) = model.vectors_of(["text"])
    assert isinstance(vector, Vector)
    assert len(vector.values) == 16
