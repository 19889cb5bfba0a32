"""The score of two vectors: (1 + cosine) / 2, so 1 is most similar and 0 is opposite (vector-rest.md 5).

Between directions, 1 - cosine is half the square of their distance, and `math.dist` is several times faster than a
sum of products in plain Python: about 0.1 s for 10,000 vectors of 384 numbers, so no numeric library is needed.
"""

import math
from collections.abc import Callable

from baton_local.vector.core.vector import Vector

ROUND_TO_DIGITS = 7
_BEST_BELOW_ONE = 1 - 10.0**-ROUND_TO_DIGITS
# Directions that were rounded to single precision differ by less than this when they are the same.
_SAME_DIRECTION_DISTANCE = 1e-6
_SCORE_OF_ZERO_VECTOR = 0.5  # its cosine counts as 0


def scorer(wanted: Vector) -> Callable[[Vector], float]:
    """How similar any other is to this one, rounded: exactly 1 for the same direction, below 1 for all others."""
    if wanted.unit is None:
        return lambda _other: _SCORE_OF_ZERO_VECTOR
    direction = tuple(wanted.unit)  # an array would be unpacked again for each comparison

    def score(other: Vector) -> float:
        if other.unit is None:
            return _SCORE_OF_ZERO_VECTOR
        distance = math.dist(direction, other.unit)
        if distance < _SAME_DIRECTION_DISTANCE:
            return 1.0
        return min(max(round(1 - distance * distance / 4, ROUND_TO_DIGITS), 0.0), _BEST_BELOW_ONE)

    return score
