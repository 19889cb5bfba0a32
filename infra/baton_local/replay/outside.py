"""The outside world of a replay that is neither store nor model: a queue that keeps, and tokens that count."""

from collections.abc import Sequence

from baton.ports import Outgoing


class ReplayQueue:
    """`Queue` in memory; whoever plays takes the messages out and delivers them."""

    def __init__(self) -> None:
        self._published: list[tuple[str, Outgoing]] = []
        self._count = 0

    async def publish(self, messages: Sequence[Outgoing]) -> list[str]:
        """Keep them."""
        ids = [f"msg_{self._count + n}" for n in range(len(messages))]
        self._count += len(messages)
        self._published += zip(ids, messages, strict=True)
        return ids

    def take(self) -> list[tuple[str, Outgoing]]:
        """Everything that was published since the last time; ids and messages."""
        taken, self._published = self._published, []
        return taken

    async def cancel(self, message_id: str) -> None:
        """Nothing that is played is taken back."""

    async def close(self) -> None:
        """Nothing is open."""


class CountingTokens:
    """`Randomness` that counts, so that every replay is the same."""

    def __init__(self) -> None:
        self._count = 0

    def token(self) -> str:
        """The next one."""
        self._count += 1
        return f"replay{self._count:018d}"
