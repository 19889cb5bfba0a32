"""Time, randomness, and the queue's signature."""

from typing import Protocol


class Clock(Protocol):
    """The time."""

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        ...


class Randomness(Protocol):
    """Random ids."""

    def token(self) -> str:
        """A new random text of 24 characters `[0-9a-z]`."""
        ...


class Verifier(Protocol):
    """Checks the queue's signature."""

    def verify(self, signature: str, body: bytes, url: str) -> None:
        """Check that the queue signed exactly this body for this URL, recently; raises SignatureError."""
        ...
