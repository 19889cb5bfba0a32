"""Vectors in JSON bodies: checked as a whole, since element by element would take most of a request's time."""

from array import array
from typing import Any

from baton_local.vector.core.errors import malformed, unacceptable
from baton_local.vector.core.vector import Vector
from baton_local.vector.wire.fields import Body, shown

_LARGEST_SINGLE = 3.4028235e38  # the hosted service keeps single precision (vector-rest.md 2)


def vector_of(value: Any, dimension: int) -> Vector:
    """The vector that a JSON array writes; null is one without numbers."""
    numbers = [] if value is None else value
    if not isinstance(numbers, list) or not set(map(type, numbers)) <= {int, float}:
        raise malformed(f"vector: must be an array of numbers, not {shown(value)}")
    if len(numbers) != dimension:
        raise unacceptable(f"Invalid vector dimension: {len(numbers)}, expected: {dimension}")
    largest = max(map(abs, numbers))
    if largest > _LARGEST_SINGLE:
        raise unacceptable(f"vector: {shown(largest)} is beyond what single precision can hold")
    return Vector.of(array("d", numbers))


def refuse_other_kinds(body: Body) -> None:
    """This index is dense; sparse and hybrid ones are not served here (vector-rest.md, scope)."""
    for name in ("sparseVector", "weightingStrategy", "fusionAlgorithm", "queryMode"):
        if body.get(name) is not None:
            raise unacceptable(f"{name}: this is a dense index; it takes nothing that belongs to sparse or hybrid ones")
