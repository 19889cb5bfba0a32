"""Another module of the user, which workflows reach."""

from decimal import Decimal

VAT = Decimal("0.19")
_FACTOR = 3


def rated(number: int) -> int:
    """Return a number times a factor of this module."""
    return number * _FACTOR
