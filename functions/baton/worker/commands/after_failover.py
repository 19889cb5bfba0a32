"""The second task of a backup message, beside its command: a failover may have forgotten the last writes.

It checks its job as a sweep does: work items without progress are replayed, and the job enters the slot table again.
Where the store has forgotten the job itself, the message is published again until its time is over.

Source: decisions/0010-backup-messages.
"""

from collections.abc import Sequence

from baton.engine.all_jobs.slots import STALLED_AFTER_MS, QueueEntry, SlotState
from baton.engine.state import Job
from baton.engine.work_items import ItemKind, WorkItem
from baton.queue.dispatch import dispatch
from baton.sdk.clock import Clock
from baton.store.redis.admission import Admission
from baton.store.redis.archive import Archive
from baton.store.redis.store import Store
from baton.store.transport.meter import charge
from baton.worker.admission.slot_client import SlotClient
from baton.worker.commands.backup import Backups
from baton.worker.commands.command_result import CommandResult
from baton_events.emitter import Emitter
from baton_events.ids import CHILD_SEPARATOR, root_of
from baton_events.schema import Event
from baton_events.timestamps import milliseconds

# How long a message is published again where a failover forgot its job; longer while its root lives.
PATIENCE_MS = 900_000


class AfterFailover:
    """Repeats and replays work that a failover may have forgotten."""

    def __init__(
        self, store: Store, admission: Admission, slot_client: SlotClient, emitter: Emitter, clock: Clock
    ) -> None:
        self._store, self._admission, self._slot_client = store, admission, slot_client
        self._emitter, self._clock = emitter, clock

    async def publish_copy(self, event: Event) -> None:
        """Publish a backup message once more: a failover may forget its last write, too."""
        await self._emitter.emit(event, not_before_ms=self._clock.now_ms() + STALLED_AFTER_MS)
        charge(messages=1)

    async def publish_later(self, event: Event, after_ms: int) -> None:
        """Publish a backup message once more, so long after the call; a copy that comes then publishes none."""
        at_ms = milliseconds(event.created_at) + after_ms
        if self._clock.now_ms() < at_ms:
            await self._emitter.emit(event, not_before_ms=at_ms, deduplication_id=f"{event.id}.later")
            charge(messages=1)

    async def publish_again(self, event: Event, why: str) -> bool:
        """Publish a message again: for PATIENCE_MS, and longer where its root lives; False: its time is over.

        Each minute at first, then in steps of an eighth to a quarter of its age. All copies together publish one
        message a step; otherwise each copy would bring back another.
        """
        now_ms = self._clock.now_ms()
        age_ms = now_ms - milliseconds(event.created_at)
        if age_ms > PATIENCE_MS and not await self._lives(root_of(event.job_id)):
            return False
        step_ms = STALLED_AFTER_MS << max(0, (age_ms // STALLED_AFTER_MS // 4).bit_length() - 1)
        once = f"{event.id}.{why}.{step_ms}.{age_ms // step_ms}"
        await self._emitter.emit(event, not_before_ms=now_ms + step_ms, deduplication_id=once)
        charge(messages=1)
        return True

    async def once_ended(self, event: Event, result: CommandResult) -> tuple[WorkItem, ...]:
        """Publish again where a failover forgot the end that a command is about: it counts once the job ends again."""
        if result.early:
            await self.publish_again(event, "again")
        return result.items

    async def reconcile(
        self, job_id: str, pending: tuple[WorkItem, ...], relay_id: str
    ) -> tuple[QueueEntry | None, tuple[WorkItem, ...]]:
        """Return a job's slot entry, and the items to dispatch: the pending ones, and those that a sweep finds."""
        entry, stalled = await self._reconcile(job_id, relay_id)
        found = {item.key for item in stalled}
        return entry, (*stalled, *(item for item in pending if item.key not in found))

    async def enter(self, event: Event, job: Job, items: Sequence[WorkItem], relay_id: str) -> None:
        """Enter a job into the slot table again: while it is not in there, no sweep checks it.

        It is entered at once, without waiting for its slot request, which may never be delivered. A failover may forget
        that, too, so the message is published once more.
        """
        slot_request = next(
            (item for item in items if item.kind is ItemKind.SLOT_REQUEST and item.job_id == job.id), None
        )
        if slot_request is not None and slot_request.want == "slot":
            await self._slot_client.request(job, SlotState("slot", slot_request.attempt), relay_id)
            await self.publish_copy(event)
        elif job.ended and not items:
            # With the epoch of this end: that of a run that has begun meanwhile is a later one. It stays in the slot
            # table until a sweep has compared.
            await self._slot_client.request(job, SlotState("gone", job.finished_at_ms or 0), relay_id)

    async def bring_on(self, event: Event, relay_id: str) -> None:
        """Replay the work items that lead to an unknown job, as a sweep does: they lead there again."""
        names = event.job_id.split(CHILD_SEPARATOR)
        stalled = [
            item
            for depth in range(len(names))
            for item in (await self._reconcile(CHILD_SEPARATOR.join(names[: depth + 1]), relay_id))[1]
        ]
        await dispatch(self._emitter, event.session_id, stalled, f"{relay_id}.{self._clock.now_ms()}")

    async def _lives(self, job_id: str) -> bool:
        loaded = await self._store.load(job_id)
        return loaded is not None and not loaded.job.ended

    async def _reconcile(self, job_id: str, relay_id: str) -> tuple[QueueEntry | None, tuple[WorkItem, ...]]:
        """Return a job's slot entry, and its work items without progress, as a sweep finds them."""
        entry = await self._admission.entry(job_id)
        slot_table = {job_id: entry} if entry else {}
        now_ms = self._clock.now_ms()
        reconciled = await self._store.reconcile(
            root_of(job_id), relay_id, now_ms, STALLED_AFTER_MS, slot_table, only=job_id
        )
        return entry, reconciled.stalled


class BeginsRun:
    """Base of the commands by which a run of a job begins: what they write to, and repeat after a failover."""

    def __init__(
        self,
        store: Store,
        archive: Archive,
        slot_client: SlotClient,
        backups: Backups,
        after_failover: AfterFailover,
        clock: Clock,
    ) -> None:
        self._store, self._archive, self._slot_client, self._backups = store, archive, slot_client, backups
        self._after_failover, self._clock = after_failover, clock
