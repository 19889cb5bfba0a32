"""Chance from a seed: the same question always has the same answer, whatever was asked before.

So a fault that is switched off leaves the rest of a schedule unchanged, which makes shrinking work.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeVar
from zlib import crc32

_T = TypeVar("_T")
_MASK = (1 << 64) - 1
_MIX = 0xFF51AFD7ED558CCD
_ULP = 2.0**-53


@lru_cache(maxsize=65536)
def number_of(text: str) -> int:
    """Convert a text to a number to ask the dice with; the same in every process."""
    return crc32(text.encode())


class Dice:
    """Answers by hashing the seed and the question (a tuple of ints: Python hashes those alike in every process)."""

    __slots__ = ("_seed",)

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def roll(self, *question: int) -> float:
        """Return a number from 0 up to but not 1."""
        mixed = hash((self._seed, *question)) & _MASK
        mixed = ((mixed ^ mixed >> 33) * _MIX) & _MASK
        return ((mixed ^ mixed >> 33) >> 11) * _ULP

    def chance(self, probability: float, *question: int) -> bool:
        """Return True in that share of the cases."""
        return self.roll(*question) < probability

    def between(self, low: float, high: float, *question: int) -> float:
        return low + (high - low) * self.roll(*question)

    def whole(self, low: int, high: int, *question: int) -> int:
        """Return a whole number from low to high, both included."""
        return low + int((high - low + 1) * self.roll(*question))

    def one_of(self, options: Sequence[_T], *question: int) -> _T:
        return options[int(len(options) * self.roll(*question))]

    def token(self, *question: int) -> str:
        """Return 24 characters `[0-9a-f]`."""
        return f"{int(self.roll(*question) * (1 << 53)):024x}"
