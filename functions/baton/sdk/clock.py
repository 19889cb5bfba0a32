"""Time and randomness: the two ports, and the only place that reads the real ones."""

import os
import time
from typing import Protocol


class SystemClock:
    """`Clock` of the operating system."""

    def now_ms(self) -> int:
        """Return the milliseconds since 1970."""
        return time.time_ns() // 1_000_000


_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
_CHARS = 24
# This many bytes make the bias of the division negligible.
_BYTES = 24


class SystemRandomness:
    """`Randomness` of the operating system."""

    def token(self) -> str:
        """Return 24 characters, about 124 bits, from one call to the system, which takes longer than all the rest."""
        number, chars = int.from_bytes(os.urandom(_BYTES)), []
        for _ in range(_CHARS):
            number, digit = divmod(number, len(_ALPHABET))
            chars.append(_ALPHABET[digit])
        return "".join(chars)


class Clock(Protocol):
    """The time."""

    def now_ms(self) -> int:
        """Return the milliseconds since 1970."""
        ...


class Randomness(Protocol):
    """Random ids."""

    def token(self) -> str:
        """Return a new random text of 24 characters `[0-9a-z]`."""
        ...
