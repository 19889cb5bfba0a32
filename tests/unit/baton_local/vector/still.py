"""Surroundings that only change when a test says so."""


class StillSurroundings:
    """A clock that stands, ids that count, chance that is none."""

    def __init__(self) -> None:
        self.time_ms = 1_000
        self._ids = 0

    def now_ms(self) -> int:
        """The time that the test has set."""
        return self.time_ms

    def new_uuid(self) -> str:
        """The next number."""
        self._ids += 1
        return f"uuid-{self._ids}"

    def chance(self) -> float:
        """Always the first."""
        return 0.0
