"""Surroundings that only change when a test says so."""


class StillSurroundings:
    def __init__(self) -> None:
        self.time_ms = 1_000
        self._ids = 0

    def now_ms(self) -> int:
        return self.time_ms

    def new_uuid(self) -> str:
        self._ids += 1
        return f"uuid-{self._ids}"

    def chance(self) -> float:
        return 0.0
