"""How long the queue waits before it delivers a message again: longer each time, and no two messages alike. Pure.

The queue has no chance of its own (qstash.md 10), so what a message asks for is spread by what the message is.
"""

from math import ceil
from zlib import crc32

from msgspec import Struct

# A message waits for up to a quarter less or more than another one: what was refused at once does not come at once.
SPREAD = 0.25
_PARTS = 1000
# Beyond this many a wait is the longest one, whatever number a header says.
_MOST_DOUBLINGS = 64


class RetryWaits(Struct, frozen=True):
    """`first_ms` before the first retry, `factor` times as long before each further one, `longest_ms` at most."""

    first_ms: int
    factor: int = 2
    longest_ms: int = 600_000

    @property
    def expression(self) -> str:
        """As the queue is told it (`Upstash-Retry-Delay`); `retried` is 0 for the first retry."""
        return f"min({self.longest_ms}, {self.first_ms} * pow({self.factor}, retried))"

    def wait_ms(self, retried: int) -> int:
        """What that comes to, once it has been retried so often."""
        return int(min(self.longest_ms, self.first_ms * self.factor ** min(retried, _MOST_DOUBLINGS)))

    def asked_seconds(self, name: str, retried: int) -> int:
        """What an endpoint that cannot work now asks for in `Retry-After`; `name`: the message's.

        The queue accepts it before the expression, so it is no shorter than the wait of any message of these, and
        spread.
        """
        part = crc32(f"{name}.{retried}".encode()) % _PARTS / _PARTS
        return max(1, ceil(self.wait_ms(retried) * (1 + SPREAD + SPREAD * part) / 1000))

    def spread(self, name: str) -> "RetryWaits":
        """Those of the message of this name."""
        part = crc32(name.encode()) % _PARTS / _PARTS
        first_ms = round(self.first_ms * (1 - SPREAD + 2 * SPREAD * part))
        return RetryWaits(first_ms, self.factor, max(first_ms, self.longest_ms))


# Of failure callbacks: 10 s, 1 min, 6 min. By default it would be 12 s, 2.5 min, half an hour.
CALLBACK_WAITS = RetryWaits(10_000, 6, 360_000)
