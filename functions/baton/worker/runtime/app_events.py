"""The endpoint of app events: it creates one job for each handler, or keeps a dead letter, or replays one.

Invariant: a job's id follows from event and handler, so an event that comes again starts nothing twice; it is
acknowledged once all its jobs are there. Data that misfits one handler starts none of them. A dead letter's first
delivery is refused for good, so the queue keeps it; a person causes any later one, which retries the handler's job.

Source: decisions/0021-app-events.
"""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any

from msgspec.structs import replace

from baton.engine.commit.stored_bytes import bytes_of
from baton.engine.outbox import command_event
from baton.engine.state import Job
from baton.engine.transitions import JobStatus
from baton.engine.work_items import WorkItem
from baton.queue.dispatch import Outcome, dispatch
from baton.sdk.agents.handler import Handler, Misfit
from baton.sdk.agents.registry import Registry
from baton.sdk.clock import Clock
from baton.store.records.app_events import ERASED, MISFIT, EventRecord
from baton.store.redis.app_events import AppEvents
from baton.worker.admission.stored_quota import StoredQuota
from baton.worker.commands.commands import Commands
from baton.worker.commands.signal import occurrence
from baton.worker.commands.submit import submission_of
from baton.worker.runtime.batches import Batches
from baton.worker.runtime.new_jobs import debounced_number, job_of
from baton_events.app_event import AppEvent, DeadLetter, occurrence_name, parse_app_event
from baton_events.emitter import Emitter
from baton_events.errors import JobGoneError, MalformedEventError, UnknownJobError
from baton_events.ids import awaited_name, canonical_json, event_id, event_job_id, job_of_call, key_digest
from baton_events.schema import encode_event
from baton_events.timestamps import milliseconds

# Calls whose waits one delivery ends, at the same time: their requests travel together; and calls of one read.
_PAGE_CALLS, _READ_CALLS = 100, 2_000


def misfits(handlers: tuple[Handler, ...], data: Any) -> list[tuple[Handler, Misfit]]:
    """Return the handlers that the data does not fit, and how."""
    found: list[tuple[Handler, Misfit]] = []
    for handler in handlers:
        try:
            handler.check(data)
        except Misfit as error:
            found.append((handler, error))
    return found


async def keep_event(records: AppEvents, quota: StoredQuota, event: AppEvent, handlers: tuple[str, ...]) -> EventRecord:
    """Keep an event, and count it for its tenant where it is new. Raises StoreError.

    One that arrives after the data of its person was erased, as it was sent with a delay, is erased here.
    """
    text = encode_event(event)
    record = await records.add(event.id, text, handlers, subject=event.subject or "")
    if record.new:
        await quota.stored(event.tenant, "event", stored_size(text))
    if ERASED not in record.notes and milliseconds(event.created_at) < record.erased_ms:
        await erase_event(records, event)
        record = replace(record, notes={**record.notes, ERASED: "1"})
    return record


async def erase_event(records: AppEvents, event: AppEvent) -> None:
    """Erase the data of an event; nothing follows from it any more. Raises StoreError."""
    blank, name = encode_event(replace(event, data=None, key="")), awaited_name(event.tenant, event.name, event.key)
    await records.erase(event.id, blank, name, canonical_json(event.data))


def stored_size(text: str) -> int:
    """Return how much an event takes: it is kept as a record, and its data for waits that begin later."""
    return 2 * bytes_of((text,))


def job_for(registry: Registry, handler: Handler, event: AppEvent, now_ms: int) -> tuple[Job, dict[str, Any]]:
    job = job_of(
        registry,
        handler.name,
        job_id=event_job_id(event.id, handler.name),
        session_id=handler.session_of(event.id, event.key),
        tenant=event.tenant,
        now_ms=now_ms,
    )
    data = (
        event.for_handler()
        if handler.takes_event
        else event.data
        if isinstance(event.data, dict)
        else {"data": event.data}
    )
    job = replace(job, notifies=f"event:{event.name}:{event.id}", subject=event.subject or "")
    return job, {"text": handler.agent.task, "data": data}


def _counts(results: Iterable[int | BaseException]) -> Iterator[int]:
    for result in results:
        if isinstance(result, BaseException):
            raise result
        yield result


class HandleAppEvent:
    def __init__(
        self, registry: Registry, records: AppEvents, commands: Commands, emitter: Emitter, clock: Clock
    ) -> None:
        self._registry, self._records = registry, records
        self._batches = Batches(records)
        self._commands, self._emitter, self._clock = commands, emitter, clock

    async def handle(self, body: bytes, message_id: str, replay: str) -> Outcome:
        """Handle one message; `replay`: the delivery, of which message, that dispatches what follows.

        Raises MalformedEventError: the message is to stay with the queue, for a person. BatonError: it must not be
        acknowledged.
        """
        event = parse_app_event(body)
        if event.dead_letter is not None:
            return await self._keep_or_retry(event, event.dead_letter, message_id)
        if event.closes is not None:
            return await self._close(event, event.closes, message_id, replay)
        if event.meets is not None:
            return Outcome("met", await self._end_waits(event, event.meets, message_id, replay))
        handlers = self._registry.handlers.of(event.name)
        names = tuple(handler.name for handler in handlers)
        record = await keep_event(self._records, self._commands.quota, event, names)
        if ERASED in record.notes:
            return Outcome("erased")
        if faults := misfits(handlers, event.data):
            listed = "; ".join(f"handler {handler.name!r}: {misfit}" for handler, misfit in faults)
            raise MalformedEventError(await self._records.note(event.id, MISFIT, listed, event.tenant))
        dispatched = 0
        for handler in handlers:
            take = self._start if handler.batch is None else self._join
            dispatched += await take(handler, event, message_id, replay)
        dispatched += await self._meet(event, message_id, replay)
        return Outcome(f"{len(handlers)} handlers", dispatched)

    async def _meet(self, event: AppEvent, message_id: str, replay: str) -> int:
        """End the waits for events of this name and key: it is kept before they are read, so none is missed.

        Of many, each page gets a message of its own, so that no delivery has more to do than another.
        """
        name, now_ms, pages = awaited_name(event.tenant, event.name, event.key), self._clock.now_ms(), 0
        await self._records.keep(name, canonical_json(event.data), event.tenant)
        while calls := await self._records.waiting(name, now_ms, _READ_CALLS):
            if not pages and len(calls) <= _PAGE_CALLS:
                dispatched = await self._end_waits(event, calls, message_id, replay)
                await self._records.met(name, calls)
                return dispatched
            sending = [self._send_page(event, calls[at : at + _PAGE_CALLS]) for at in range(0, len(calls), _PAGE_CALLS)]
            pages += sum(_counts(await asyncio.gather(*sending, return_exceptions=True)))
            await self._records.met(name, calls)  # where this delivery dies, the next one goes on here
        return pages

    async def _send_page(self, event: AppEvent, page: tuple[str, ...]) -> int:
        copy = replace(event, meets=page)
        await self._emitter.send(copy, deduplication_id=f"{event.id}.meets.{key_digest(*page)}")
        return 1

    async def _end_waits(self, event: AppEvent, calls: tuple[str, ...], message_id: str, replay: str) -> int:
        by_job: dict[str, list[str]] = {}
        for call_id in calls:
            by_job.setdefault(job_of_call(call_id), []).append(call_id)
        ending = (self._end_waits_of(job_id, own, event, message_id, replay) for job_id, own in by_job.items())
        return sum(_counts(await asyncio.gather(*ending, return_exceptions=True)))

    async def _end_waits_of(self, job_id: str, calls: list[str], event: AppEvent, message_id: str, replay: str) -> int:
        """Signal a job once for each of its waits, as a signal ends one; return the number of dispatched events."""
        job = await self._commands.submit.find(job_id)
        if job is None or job.ended:
            return 0
        command = occurrence(job, occurrence_name(event.name, event.key), event.data)
        items = tuple[WorkItem, ...]()
        try:
            for call_id in calls:
                named = event_id(f"occur:{event.id}:{call_id}")
                signalled = command_event(named, job_id, job.session_id, event.created_at, command)
                items = await self._commands.signal.again(signalled, command, message_id)  # those of before, too
        except (UnknownJobError, JobGoneError):
            return 0
        return await dispatch(self._emitter, job.session_id, items, replay)

    async def _close(self, copy: AppEvent, name: str, message_id: str, replay: str) -> Outcome:
        """Close the batch of an event, by the copy that the event has left, and start the batch's job.

        Each event leaves a copy: where a failover forgot that the event joined, the copy makes it join again.
        """
        event = replace(copy, closes=None)
        record = await keep_event(self._records, self._commands.quota, event, (name,))
        if ERASED in record.notes:
            return Outcome("erased")
        handlers = [handler for handler in self._registry.handlers.of(event.name) if handler.name == name]
        dispatched = [await self._join(handler, event, message_id, replay, closes=True) for handler in handlers]
        return Outcome("closed", sum(dispatched))

    async def _join(
        self, handler: Handler, event: AppEvent, message_id: str, replay: str, *, closes: bool = False
    ) -> int:
        size, seconds = handler.batch or (1, 0)
        batch = await self._batches.join(event, handler.name, size, closes=closes)
        if batch.closed:
            return await self._start(handler, await self._batches.event_of(handler.name, batch), message_id, replay)
        await self._emitter.send(
            replace(event, closes=handler.name),
            not_before_ms=self._clock.now_ms() + int(seconds * 1000),
            deduplication_id=f"{event.id}.closes.{handler.name}",
        )
        return 1

    async def _start(self, handler: Handler, event: AppEvent, message_id: str, replay: str) -> int:
        now_ms = self._clock.now_ms()
        job, task = job_for(self._registry, handler, event, now_ms)
        if handler.debounce_seconds:
            job = replace(job, start_at_ms=now_ms + int(handler.debounce_seconds * 1000))
        submitted, submission = submission_of(job, task, event.created_at)
        items = await self._commands.submit.again(submitted, submission, message_id)
        if handler.debounce_seconds:  # the event came when its job was made, however often it is delivered
            job = await self._commands.submit.find(job.id) or job
            number = debounced_number(job, event.id, milliseconds(event.created_at))
            name = awaited_name(event.tenant, handler.name, event.key)
            await self._records.came(name, number, job.created_at_ms)
        return await dispatch(self._emitter, job.session_id, items, replay)

    async def _keep_or_retry(self, event: AppEvent, letter: DeadLetter, message_id: str) -> Outcome:
        job = await self._commands.submit.find(event_job_id(event.id, letter.handler))
        if job is None:
            raise UnknownJobError(f"the job of handler {letter.handler!r} for event {event.id} is not there (yet)")
        if job.run > letter.run or job.status in (JobStatus.COMPLETED, JobStatus.CANCELLED):
            return Outcome("applied")
        first = await self._records.note(event.id, f"dead:{letter.handler}:{letter.run}", message_id)
        if first == message_id:
            raise MalformedEventError(
                f"handler {letter.handler!r} has failed: {letter.error}; replay this message to run it again"
            )
        return await self._retry(job) if job.ended else Outcome("applied")

    async def _retry(self, job: Job) -> Outcome:
        """Retry a job from its failure, or from its start where secrets of the failed call are not kept."""
        try:
            result = await self._commands.retry(job, "replay", from_start=False)
            if result.refused:
                await self._commands.retry(job, "replay", from_start=True)
        except JobGoneError:
            return Outcome("gone")
        return Outcome("retried", 1)
