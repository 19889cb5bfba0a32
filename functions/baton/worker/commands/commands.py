"""The commands about jobs, one object each, and the dispatch of a backup message to the one that it repeats."""

from collections.abc import Awaitable, Callable

from baton.engine.work_items import WorkItem
from baton.sdk.clock import Clock, Randomness
from baton.store.redis.admission import Admission
from baton.store.redis.archive import Archive
from baton.store.redis.store import Store
from baton.worker.admission.slot_client import SlotClient
from baton.worker.commands.after_failover import AfterFailover
from baton.worker.commands.approve import DecideApproval
from baton.worker.commands.backup import Backups
from baton.worker.commands.cancel import CancelJob
from baton.worker.commands.delete import DeleteJob
from baton.worker.commands.follow import JobNotices
from baton.worker.commands.retry import RetryJob
from baton.worker.commands.schedule import FireSchedule
from baton.worker.commands.signal import SignalJob
from baton.worker.commands.submit import SubmitJob
from baton_events.emitter import Emitter
from baton_events.errors import JobGoneError, UnknownJobError
from baton_events.schema import (
    AgentLoopInit,
    Cancellation,
    Command,
    Completion,
    Event,
    Occurrence,
    Recurrence,
    Removal,
    Retrial,
    Steering,
    Submission,
)

# Sends the notice of an approval, or publishes its retry.
Announce = Callable[[AgentLoopInit], Awaitable[None]]


class Commands:
    """The commands, for the API and for backup messages."""

    def __init__(
        self,
        store: Store,
        archive: Archive,
        admission: Admission,
        slot_client: SlotClient,
        emitter: Emitter,
        clock: Clock,
        randomness: Randomness,
        notices: JobNotices,
    ) -> None:
        self.announce: Announce | None = None
        self.quota = slot_client.quota
        backups = Backups(emitter, clock, randomness, notices)
        self.after_failover = after_failover = AfterFailover(store, admission, slot_client, emitter, clock)
        self.submit = SubmitJob(store, archive, slot_client, backups, after_failover, clock)
        self.cancel = CancelJob(store, archive, backups, clock)
        self.retry = RetryJob(store, archive, slot_client, backups, after_failover, clock)
        self.delete = DeleteJob(archive, slot_client, backups, after_failover)
        self.signal = SignalJob(store, self.quota, backups, after_failover, clock)
        self.decide = DecideApproval(self.signal, clock, randomness)
        self.fire = FireSchedule(self.submit, self.cancel, admission, slot_client, clock)

    async def receive(self, event: Event, relay_id: str, token: str = "") -> tuple[WorkItem, ...] | None:
        """Carry out the command that an event brings; return work items to dispatch, None where it brings none.

        `token`: the queue's signed text of this delivery; empty where `relay_id` itself was signed.

        Raises UnknownJobError: its job is not known (yet), or the tool call that it is about.
        """
        if not isinstance(event, AgentLoopInit):
            return None
        if event.payload.announces:
            if self.announce is not None:
                await self.announce(event)
            return ()
        command = event.payload.command
        if command is None:
            return None
        try:
            return await self._again(event, command, relay_id, token)
        except JobGoneError:
            return ()
        except UnknownJobError:
            await self.after_failover.bring_on(event, relay_id)
            raise

    async def _again(self, event: Event, command: Command, relay_id: str, token: str) -> tuple[WorkItem, ...]:
        match command:
            case Submission():
                return await self.submit.again(event, command, relay_id)
            case Cancellation():
                return await self.cancel.again(event, command, relay_id)
            case Retrial():
                return await self.retry.again(event, command, relay_id)
            case Removal():
                return await self.delete.again(event, command, relay_id)
            case Completion() | Occurrence() | Steering():
                return await self.signal.again(event, command, relay_id)
            case Recurrence():
                return await self.fire(event, command, relay_id, token)
