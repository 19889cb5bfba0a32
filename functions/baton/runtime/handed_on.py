"""What one invocation has handed on already: each leg once, but for news from the admission, or after a failover."""

from baton.core.legs import CLOCK_ERROR_MS, Leg


class HandedOn:
    """The legs that one delivery has published, or found that nothing comes of. `rounds`: how often it began anew."""

    def __init__(self) -> None:
        self.rounds = 0
        self._keys: set[str] = set()
        self._later: dict[str, int] = {}

    def keys(self) -> frozenset[str]:
        """The keys of these legs."""
        return frozenset(self._keys)

    def has(self, leg: Leg, now_ms: int) -> bool:
        """Whether this leg is one of them."""
        return leg.key in self._keys or self.is_under_way(leg, now_ms)

    def is_under_way(self, leg: Leg, now_ms: int) -> bool:
        """Whether it is published for a time that has not come yet, whatever the admission says meanwhile."""
        return self._later.get(leg.key, 0) == leg.free_at_ms() > now_ms + CLOCK_ERROR_MS

    def add(self, leg: Leg) -> None:
        """It is published now."""
        self._keys.add(leg.key)
        self._later[leg.key] = leg.free_at_ms()

    def leave(self, leg_key: str) -> None:
        """Nothing comes of it now: it stays in the state, to be told again by somebody else."""
        self._keys.add(leg_key)

    def discard(self, leg_key: str) -> None:
        """It is done: where a failover brings it back, it is handed on again."""
        self._keys.discard(leg_key)

    def begin_anew(self) -> None:
        """A slot was given, or a failover forgot: work that was handed on before is handed on again.

        Not for a wish that must wait: two of them would bring each other back without end.
        """
        self.rounds += 1
        self._keys.clear()
