"""One vector: the numbers as they were sent, and their direction, ready for comparing.

Invariant: `values` come back exactly as sent (vector-rest.md 2); `unit` has length 1 and is None for the zero vector.
Single precision is enough for directions, is what the hosted service keeps, and halves the memory.
"""

import math
from array import array
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vector:
    """Numbers and direction."""

    values: "array[float]"
    unit: "array[float] | None"

    @classmethod
    def of(cls, numbers: Iterable[float]) -> "Vector":
        """The vector of these numbers, which must be finite."""
        values = numbers if isinstance(numbers, array) else array("d", numbers)
        length = math.hypot(*values)
        return cls(values, array("f", [value / length for value in values]) if length else None)
