"""How many streams of jobs each key holds open in this process."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class Followers:
    """The open streams of one process. `most`: of one key; 0: any number."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._open: Counter[str] = Counter()

    def is_full(self, key_id: str) -> bool:
        """Whether a key holds as many as it may."""
        return bool(self.most) and self._open[key_id] >= self.most

    @contextmanager
    def following(self, key_id: str) -> Iterator[None]:
        """One more, for the time of the block."""
        self._open[key_id] += 1
        try:
            yield
        finally:
            self._open[key_id] -= 1
            if not self._open[key_id]:
                del self._open[key_id]
