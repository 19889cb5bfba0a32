"""A queue that keeps what was published; nothing is delivered unless the test does so."""

from collections.abc import Sequence

from events.errors import PublishError
from events.ports import Outgoing


class FakeQueue:
    """`Queue` in memory. `failing`: raised by the next publish, once for each entry."""

    def __init__(self) -> None:
        self.published: list[tuple[str, Outgoing]] = []
        self.cancelled: list[str] = []
        self.failing: list[PublishError] = []

    async def publish(self, messages: Sequence[Outgoing]) -> list[str]:
        """Keep all of them."""
        if self.failing:
            raise self.failing.pop(0)
        ids = [f"msg_{len(self.published) + n + 1}" for n in range(len(messages))]
        self.published += zip(ids, messages, strict=True)
        return ids

    async def cancel(self, message_id: str) -> None:
        """Take one back."""
        self.cancelled.append(message_id)

    async def close(self) -> None:
        """Nothing is open."""
