"""A clock that stands still until told."""


class FakeClock:
    """`Clock` at a time of the test's choice."""

    def __init__(self, now_ms: int = 1_800_000_000_000) -> None:
        self.ms = now_ms

    def now_ms(self) -> int:
        return self.ms
