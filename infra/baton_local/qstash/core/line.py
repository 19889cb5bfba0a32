"""A line: who waits, in the order in which they came, also when one comes back to its old place.

Invariant: `pop` gives the lowest number first. What has left costs no room for long.
"""

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

Waiting = TypeVar("Waiting", bound=Hashable)

_LEFT_KEPT = 1_000


class Line(Generic[Waiting]):
    """Each who waits has the number that was drawn when it became due."""

    def __init__(self) -> None:
        self._numbers: dict[Waiting, int] = {}
        self._heap: list[tuple[int, Waiting]] = []

    def join(self, waiting: Waiting, number: int) -> None:
        """Wait, in front of all with a higher number."""
        self._numbers[waiting] = number
        heapq.heappush(self._heap, (number, waiting))

    def pop(self) -> Waiting:
        """The next one, who waits no more; IndexError if nobody waits."""
        while True:
            number, waiting = heapq.heappop(self._heap)
            if self._numbers.get(waiting) == number:
                del self._numbers[waiting]
                return waiting

    def leave(self, waiting: Waiting) -> None:
        """Wait no more; one who does not wait may leave, too."""
        if self._numbers.pop(waiting, None) is not None and len(self._heap) > 2 * len(self._numbers) + _LEFT_KEPT:
            self._heap = [(number, each) for each, number in self._numbers.items()]
            heapq.heapify(self._heap)

    def __contains__(self, waiting: Waiting) -> bool:
        return waiting in self._numbers

    def __len__(self) -> int:
        return len(self._numbers)
