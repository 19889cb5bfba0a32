"""What a queue knows of its messages, in memory: those that a fake queue took, and what a test says became of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from baton.queue.ports import DeadLetter, DeadLetters, LogEntry, LogPage, QueuedMessage
from baton.sdk.clock import Clock
from baton_events.errors import PublishError, QueueRefusedError
from baton_events.messages import Outgoing
from tests.fakes.queue import FakeQueue

_CURSOR_DIGITS = 10


@dataclass
class FakeQueueRecords:
    """`QueueRecords` in memory; messages are published to `queue`.

    `failing`: raised by the next list of dead letters, or of the log, once for each entry.
    """

    queue: FakeQueue
    clock: Clock
    happened: list[LogEntry] = field(default_factory=list[LogEntry])
    dead: dict[str, DeadLetter] = field(default_factory=dict[str, DeadLetter])
    failing: list[PublishError] = field(default_factory=list[PublishError])

    def happen(
        self, message_id: str, state: str, *, status: int = 0, answer: str = "", error: str = "", next_ms: int = 0
    ) -> None:
        message = self._published()[message_id]
        self.happened.append(LogEntry(message, state, self.clock.now_ms(), next_ms, status, answer, error))

    def die(self, message_id: str, status: int = 500, answer: str = "it broke") -> str:
        self.happen(message_id, "FAILED", status=status, answer=answer)
        dead_id = f"1-{len(self.happened)}"
        self.dead[dead_id] = DeadLetter(dead_id, self._published()[message_id], status, answer)
        return dead_id

    async def message(self, message_id: str) -> QueuedMessage | None:
        return self._published().get(message_id)

    async def log(
        self, *, message_id: str = "", label: str = "", state: str = "", cursor: str = "", limit: int = 100
    ) -> LogPage:
        if self.failing:
            raise self.failing.pop(0)
        created = [LogEntry(message, "CREATED", message.created_ms) for message in self._published().values()]
        found = [
            entry
            for entry in reversed([*created, *self.happened])
            if (not message_id or entry.message.id == message_id)
            and (not label or entry.message.label == label)
            and (not state or entry.state == state)
        ]
        if cursor and not (cursor.isascii() and cursor.isdecimal() and len(cursor) < _CURSOR_DIGITS):
            raise QueueRefusedError(f"the queue refused the message: cursor {cursor!r}")
        start = int(cursor or 0)
        return LogPage(tuple(found[start : start + limit]), str(start + limit) if len(found) > start + limit else "")

    async def dead_letters(
        self, *, message_id: str = "", label: str = "", url: str = "", cursor: str = ""
    ) -> DeadLetters:
        if self.failing:
            raise self.failing.pop(0)
        found = [
            letter
            for letter in self.dead.values()
            if (not message_id or letter.message.id == message_id)
            and (not label or letter.message.label == label)
            and (not url or letter.message.url == url)
        ]
        return DeadLetters(tuple(reversed(found)))

    async def retry(self, dead_letter_ids: Sequence[str]) -> int:
        there = [self.dead.pop(each) for each in dead_letter_ids if each in self.dead]
        await self.queue.publish([Outgoing(body=letter.message.body, url=letter.message.url) for letter in there])
        return len(there)

    async def delete(self, dead_letter_ids: Sequence[str]) -> int:
        return len([self.dead.pop(each) for each in dead_letter_ids if each in self.dead])

    async def close(self) -> None:
        """Nothing is open."""

    def _published(self) -> dict[str, QueuedMessage]:
        return {
            message_id: QueuedMessage(message_id, sent.url, sent.body, sent.label, headers=sent.headers)
            for message_id, sent in self.queue.published
        }
