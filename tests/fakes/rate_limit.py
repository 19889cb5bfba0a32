"""Rate limits in memory."""

from collections import Counter

from baton.store.redis.access import RateLimit
from baton_events.errors import StoreError


class FakeRateLimit(RateLimit):
    """`RateLimit` that lets each name ask so many times. `down`: raised instead of an answer."""

    def __init__(self, tokens: int, wait_seconds: float = 1.5) -> None:
        self.tokens = tokens
        self.wait = wait_seconds
        self.taken: Counter[str] = Counter()
        self.down: StoreError | None = None

    async def wait_seconds(self, name: str) -> float:
        if self.down:
            raise self.down
        self.taken[name] += 1
        return 0 if self.taken[name] <= self.tokens else self.wait
