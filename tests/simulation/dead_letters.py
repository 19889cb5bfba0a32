"""The queue's dead letters, as functions see them: failure callbacks whose own retries are used up."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from baton.queue.ports import DeadLetter, DeadLetters, QueuedMessage
from tests.fakes.queue import FakeQueue
from tests.fakes.queue_records import FakeQueueRecords
from tests.simulation.queue import Message, unreachable

if TYPE_CHECKING:
    from baton.clock import Clock
    from tests.simulation.world import World


@dataclass
class SimQueueRecords(FakeQueueRecords):
    """`QueueRecords` of which two are behind a wire: what the product asks, and people do not."""

    def __init__(self, world: "World", clock: "Clock") -> None:
        super().__init__(FakeQueue(), clock)
        self._world = world

    async def dead_letters(self, *, label: str = "", url: str = "", cursor: str = "") -> DeadLetters:
        """Those for this address."""
        return await self._world.wire.request(
            "queue.dead_letters", "queue", "queue", lambda: DeadLetters(tuple(self._found(url))), unreachable
        )

    async def retry(self, dead_letter_ids: Sequence[str]) -> int:
        """Each that is still there is accepted as a new message."""
        return await self._world.wire.request(
            "queue.retry", "queue", "queue", lambda: sum(map(self._world.queue.revive, dead_letter_ids)), unreachable
        )

    def _found(self, url: str) -> list[DeadLetter]:
        dead = self._world.queue.dead.values()
        return [_letter(message, status) for message, status in dead if message.url == url]


def _letter(message: Message, status: int) -> DeadLetter:
    return DeadLetter(message.id, QueuedMessage(message.id, message.url, message.outgoing.body), status)
