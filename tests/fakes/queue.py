"""A queue that keeps what was published; nothing is delivered unless the test does so."""

from collections.abc import Sequence

from baton_events.errors import PublishError
from baton_events.messages import Outgoing


class FakeQueue:
    """`Queue` in memory. `failing`, `cancel_failing`: raised by the next publish, or taking back, once for each."""

    def __init__(self) -> None:
        self.published: list[tuple[str, Outgoing]] = []
        self.cancelled: list[str] = []
        self.failing: list[PublishError] = []
        self.cancel_failing: list[PublishError] = []

    async def publish(self, messages: Sequence[Outgoing]) -> list[str]:
        if self.failing:
            raise self.failing.pop(0)
        ids = [f"msg_{len(self.published) + n + 1}" for n in range(len(messages))]
        self.published += zip(ids, messages, strict=True)
        return ids

    async def cancel(self, message_id: str) -> None:
        if self.cancel_failing:
            raise self.cancel_failing.pop(0)
        self.cancelled.append(message_id)

    async def close(self) -> None:
        """Nothing is open."""
