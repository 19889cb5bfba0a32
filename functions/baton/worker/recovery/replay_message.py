"""Replaying: a message that was delivered, or that the queue gave up on, is sent once more by an operator.

Invariant: a replay never does anything twice. The state shows whether an event still applies, as in the pipeline. One
whose step is over is reported as applied, and not sent; events that the job still expects can be replayed instead. A
command may be sent again, since the first one stays. Must not: change any state itself.
"""

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from baton.engine.work_items import WorkItem, item_key_of
from baton.queue.dispatch import dispatch
from baton.queue.ports import QueuedMessage, QueueRecords
from baton.sdk.clock import Clock, Randomness
from baton.sdk.records.transcript import FOREVER_MS
from baton.settings.settings import Settings
from baton.store.records.jobs import Snapshot
from baton.store.redis.reader import Reader
from baton_events.emitter import Delivery, Emitter, sealing_in
from baton_events.errors import MalformedEventError
from baton_events.ids import scheduled_job_id
from baton_events.schema import Command, Event, LoopPayload, Recurrence, parse_event


class MessageState(StrEnum):
    """The state of a message.

    `due`: its step is open. `told`: it brings a command, which may come again. `applied`: its step is over. `ended`: so
    is its job. `unknown`: there is no such job. `ours`: a sweep, or a callback of the queue, which may always come
    again. `foreign`: no message for our functions.
    """

    DUE = "due"
    SIGNALLED = "told"
    APPLIED = "applied"
    ENDED = "ended"
    UNKNOWN = "unknown"
    OURS = "ours"
    FOREIGN = "foreign"


SENDABLE = frozenset({MessageState.DUE, MessageState.SIGNALLED, MessageState.OURS})


class MessageCheck(Struct, frozen=True):
    """A message beside its job. `expected`: how many steps of the job are due now."""

    state: MessageState
    event: Event | None = None
    expected: int = 0


class Replaying:
    """Sends messages once more."""

    def __init__(
        self,
        reader: Reader,
        records: QueueRecords,
        emitter: Emitter,
        clock: Clock,
        randomness: Randomness,
        settings: Settings,
    ) -> None:
        self._reader, self._records, self._emitter, self._clock = reader, records, emitter, clock
        self._randomness, self._settings = randomness, settings

    def shown(self, message: QueuedMessage) -> QueuedMessage:
        """Return a message with its texts in clear, where their key is there; only the queue's own is sent again."""
        return replace(message, body=sealing_in(self._settings).shown_message(message.body))

    async def check(self, messages: Sequence[QueuedMessage]) -> list[MessageCheck]:
        """Return the state of each message now, with one read of the jobs."""
        pairs = [(message, self._event(message)) for message in messages]
        requested = dict.fromkeys(_job_of(message, event) for message, event in pairs if event is not None)
        jobs = await self._reader.jobs([job_id for job_id in requested if job_id])
        return [
            self._beside(event, jobs.get(_job_of(message, event))) if event is not None else self._not_an_event(message)
            for message, event in pairs
        ]

    async def replay(self, message: QueuedMessage) -> MessageCheck:
        """Send it once more where that can do anything; return its check, which shows whether it was sent.

        What comes of the new message stands in place of its dead letter, which is deleted.
        """
        (checked,) = await self.check([message])
        if checked.state in SENDABLE:
            if checked.event is not None:
                # Under an id of its own: the queue drops a repeat of a message that it took within ten minutes.
                again = f"{checked.event.id}.replay.{self._randomness.token()}"
                await self._emitter.emit_many([Delivery(checked.event, 0, again)])
            else:
                await self._emitter.emit_to(self._endpoint(message), message.body)
            letters = (await self._records.dead_letters(message_id=message.id)).letters
            await self._records.delete([letter.id for letter in letters])
        return checked

    async def replay_job(self, job_id: str) -> int:
        """Send the events of all due steps of a job; those under a lease at its end. Return how many."""
        snapshot = await self._reader.job(job_id)
        if snapshot is None:
            return 0
        replay = f"replay.{self._randomness.token()}"
        return await dispatch(self._emitter, snapshot.job.session_id, self._due(snapshot), replay)

    def _beside(self, event: Event, snapshot: Snapshot | None) -> MessageCheck:
        if isinstance(_command(event), Recurrence):
            # Each message of a schedule starts a job of its own: one that did would start a second one.
            return MessageCheck(MessageState.DUE if snapshot is None else MessageState.APPLIED, event)
        if _command(event) is not None:
            return MessageCheck(MessageState.SIGNALLED, event)
        if snapshot is None:
            return MessageCheck(MessageState.UNKNOWN, event)
        expected = len(self._due(snapshot))
        if any(item.key == item_key_of(event) for item in snapshot.items):
            return MessageCheck(MessageState.DUE, event, expected)
        return MessageCheck(MessageState.ENDED if snapshot.job.ended else MessageState.APPLIED, event, expected)

    def _not_an_event(self, message: QueuedMessage) -> MessageCheck:
        return MessageCheck(MessageState.OURS if self._endpoint(message) else MessageState.FOREIGN)

    def _due(self, snapshot: Snapshot) -> list[WorkItem]:
        now_ms = self._clock.now_ms()
        return [item for item in snapshot.items if item.not_before_ms <= now_ms and item.not_before_ms < FOREVER_MS]

    def _event(self, message: QueuedMessage) -> Event | None:
        """Return the event of a message; None: it brings none, or one that cannot be opened here."""
        try:
            return parse_event(self.shown(message).body.encode("utf-8", "surrogatepass"))
        except MalformedEventError:
            return None

    def _endpoint(self, message: QueuedMessage) -> str:
        """Return the deployment's endpoint that a message went to; empty where it went elsewhere."""
        return self._settings.endpoint_of(message.url)


def _command(event: Event) -> Command | Recurrence | None:
    return event.payload.command if isinstance(event.payload, LoopPayload) else None


def _job_of(message: QueuedMessage, event: Event) -> str:
    """Return the job whose state shows whether the event still applies; none for a command, which may always come."""
    command = _command(event)
    if isinstance(command, Recurrence):
        return scheduled_job_id(event.job_id, message.id)
    return event.job_id if command is None else ""
