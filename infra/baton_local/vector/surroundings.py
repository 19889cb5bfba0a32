"""The only place where time and randomness come from outside.

Everything else takes them as values: a test gives its own instead.
"""

import random  # noqa: TID251 - this file is the adapter
import time
import uuid
from typing import Protocol


class Surroundings(Protocol):
    """What the server cannot compute."""

    def now_ms(self) -> int:
        """Milliseconds that only grow, from any beginning."""
        ...

    def new_uuid(self) -> str:
        """An id that nobody can guess."""
        ...

    def chance(self) -> float:
        """A number from 0 to below 1."""
        ...


class System:
    """The machine's."""

    def now_ms(self) -> int:
        """Milliseconds since some moment of this machine."""
        return int(time.monotonic() * 1_000)

    def new_uuid(self) -> str:
        """A random UUID."""
        return str(uuid.uuid4())  # noqa: TID251 - as above

    def chance(self) -> float:
        """A pseudo-random number, good enough to pick a record."""
        return random.random()  # noqa: S311 - picks a record, protects nothing
