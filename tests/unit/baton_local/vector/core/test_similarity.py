import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton_local.vector.core.querying import scorer
from baton_local.vector.core.record import Vector

NUMBERS = st.lists(st.floats(-1e6, 1e6, width=32), min_size=3, max_size=3)


def score(one: list[float], other: list[float]) -> float:
    return scorer(Vector.of(one))(Vector.of(other))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([1, 0], [1, 0], 1),
        ([1, 0], [5, 0], 1),
        ([1, 0], [0, 3], 0.5),
        ([1, 0], [-2, 0], 0),
        ([1, 0], [1, 1], (1 + math.sqrt(0.5)) / 2),
        ([0, 0], [1, 1], 0.5),
        ([0, 0], [0, 0], 0.5),
        ([1e38, 1e38], [1e-38, 1e-38], 1),
    ],
)
def test_scores(one: list[float], other: list[float], expected: float) -> None:
    """(1 + cosine) / 2; the zero vector's cosine counts as 0 (vector-rest.md 5)."""
    assert score(one, other) == pytest.approx(expected, abs=1e-6)
    if expected in {0, 0.5, 1}:
        assert score(one, other) == expected


def test_only_the_same_direction_scores_one() -> None:
    assert score([1, 0], [1, 1e-5]) == 0.9999999
    assert score([1, 0], [1, 0.1]) < 0.9999999


@given(NUMBERS, NUMBERS)
def test_a_score_is_the_rounded_cosine(one: list[float], other: list[float]) -> None:
    lengths = math.hypot(*one) * math.hypot(*other)
    cosine = sum(a * b for a, b in zip(one, other, strict=True)) / lengths if lengths else 0.0
    assert score(one, other) == pytest.approx((1 + cosine) / 2, abs=1e-6)
    assert score(one, other) == score(other, one)
    assert 0 <= score(one, other) <= 1


@given(st.lists(st.floats(-1e38, 1e38), min_size=1, max_size=20))
def test_a_vector_keeps_its_numbers(numbers: list[float]) -> None:
    vector = Vector.of(numbers)
    assert vector.values.tolist() == numbers
    assert scorer(vector)(vector) == (1 if any(numbers) else 0.5)
