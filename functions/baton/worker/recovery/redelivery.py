"""Messages that the queue gave up on: decide finds out whether the event still applies, and it is replayed.

The budget is measured in progress: it counts how often in a row one work item could not be delivered, and any progress
makes a new work item. Only a malformed event or a spent budget fails a job, with a reason and an alert. An endpoint
without capacity spends none: its work item is replayed after a pause that grows. Source: qstash.md 11.
"""

import base64
import binascii
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from baton.engine.attempts import THROTTLED, THROTTLED_ALERT, replayed_at_ms
from baton.engine.commit.answers import Claim, Undelivered
from baton.engine.decide import decide
from baton.engine.effects import Alert
from baton.engine.step_results import Undeliverable
from baton.engine.work_items import WorkItem, item_key_of
from baton.observability.tracing import job_ended
from baton.queue.dispatch import Outcome, dispatch, replay_of
from baton.sdk.clock import Clock
from baton.store.redis.store import Store
from baton.worker.commands.commands import Commands
from baton.worker.recovery.sweep import Sweep, read_page
from baton.worker.runtime.post_commit import PostCommit
from baton_events.emitter import Emitter
from baton_events.errors import MalformedEventError, UnknownJobError
from baton_events.schema import ANSWERS_ENDPOINT, EVENTS_ENDPOINT, SWEEP_ENDPOINT, Event, ToolPayload, parse_event
from baton_events.sealing import Sealing

MALFORMED_STATUS = MalformedEventError.status


class Failed(Struct, frozen=True):
    """The report of a failure callback: the source message, its event, and the last answer."""

    source_message_id: str
    event: Event
    status: int
    answer: str


class SweepFailed(Struct, frozen=True):
    """A sweep could not be delivered; `body` is its body."""

    source_message_id: str
    body: bytes


class AppEventFailed(Struct, frozen=True):
    """An app event could not be delivered; its last answer had this status."""

    source_message_id: str
    body: bytes
    status: int


class Unreadable(Struct, frozen=True):
    """The source message is no event of this product; it stays in the dead letter queue for a person."""

    source_message_id: str
    why: str


Callback = Failed | AppEventFailed | SweepFailed | Unreadable


def read_callback(body: bytes, sealing: Sealing) -> Callback:
    """Parse the callback's content.

    Raises MalformedEventError: not a failure callback at all. UnreadablePayloadError: the message's key is not there.
    """
    try:
        document = json.loads(body)
        source_id, status = str(document["sourceMessageId"]), int(document.get("status", 0))
        source, answer = base64.b64decode(document["sourceBody"]), base64.b64decode(document.get("body") or "")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error) as error:
        raise MalformedEventError(f"not a failure callback of the queue: {type(error).__name__}: {error}") from error
    source, answer = sealing.opened_message(source), sealing.opened_message(answer)
    if str(document.get("url", "")).endswith(SWEEP_ENDPOINT):
        return SweepFailed(source_id, source)
    if f"{EVENTS_ENDPOINT}/" in str(document.get("url", "")):
        return AppEventFailed(source_id, source, status)
    if answer_below := str(document.get("url", "")).partition(ANSWERS_ENDPOINT)[2]:
        from baton.queue.brought_answers import event_at  # noqa: PLC0415 - few agents have answers brought

        # It fails no job: the turn asks again when its time is up.
        return Failed(source_id, event_at(answer_below), 0, "")
    try:
        event = parse_event(source)
    except MalformedEventError as error:
        return Unreadable(source_id, str(error))
    return Failed(source_id, event, status, answer.decode("utf-8", "replace")[:300])


def what_failed(failed: Callback) -> str:
    """Return what the queue gave up on, for the counters."""
    match failed:
        case Failed():
            return failed.event.type
        case AppEventFailed():
            return "app event"
        case SweepFailed():
            return "sweep"
        case Unreadable():
            return "unreadable"


# Handles the body of an app event in the name of its message, under a replay; it raises as its endpoint does.
HandleAppEvent = Callable[[bytes, str, str], Awaitable[Outcome]]


class Redelivery:
    """Replays undelivered events."""

    def __init__(
        self,
        store: Store,
        commands: Commands,
        sweep: Sweep,
        emitter: Emitter,
        clock: Clock,
        post_commit: PostCommit,
        app_events: HandleAppEvent,
    ) -> None:
        self._store, self._commands, self._sweep, self._emitter = store, commands, sweep, emitter
        self._clock, self._post_commit, self._app_events = clock, post_commit, app_events

    async def handle(self, failed: Callback, message_id: str, retried: int) -> Outcome:
        """Handle one failure callback, itself a message `message_id`, delivered `retried` times before."""
        if isinstance(failed, Unreadable):
            source_id = failed.source_message_id
            text = f"message {source_id} is not an event and stays with the undelivered messages: {failed.why}"
            await self._post_commit((Alert("", text, "unreadable_message", source_id),))
            return Outcome("kept for a person")
        if isinstance(failed, AppEventFailed):
            return await self._app_event_failed(failed, replay_of(message_id, retried))
        if isinstance(failed, SweepFailed):
            # It may be the relay of items that it took over before it failed, so its work is done in its name.
            replay = replay_of(message_id, retried)
            return await self._sweep.handle(read_page(failed.body), failed.source_message_id, replay, again=True)
        return await self._event_failed(failed, message_id, retried)

    async def _app_event_failed(self, failed: AppEventFailed, replay: str) -> Outcome:
        """Handle the event in place of its endpoint; an event refused for good stays for a person."""
        try:
            if failed.status != MALFORMED_STATUS:
                return await self._app_events(failed.body, failed.source_message_id, replay)
            why = f"its endpoint answered {MALFORMED_STATUS}"
        except MalformedEventError as error:
            why = str(error)
        text = f"app event {failed.source_message_id} stays with the undelivered messages: {why}"
        await self._post_commit((Alert("", text, "app_event_kept", failed.source_message_id),))
        return Outcome("kept for a person")

    async def _event_failed(self, failed: Failed, message_id: str, retried: int) -> Outcome:
        event = failed.event
        try:
            items = await self._commands.receive(event, failed.source_message_id)
        except UnknownJobError:
            return await self._publish_later(event)
        if items is not None:
            return Outcome("signalled", await self._replay(event.session_id, items, message_id, retried))
        call_id = event.payload.call_id if isinstance(event.payload, ToolPayload) else ""
        claim = Claim(event.job_id, item_key_of(event), message_id, "", self._clock.now_ms(), 0, call_id)
        throttled = failed.status in THROTTLED
        found = await self._store.undelivered(claim, failed.source_message_id, throttled=throttled)
        if found.state is not None:
            reason = f"the endpoint answered {failed.status or 'nothing'} {failed.answer}".strip()
            step_result = Undeliverable(reason, malformed=failed.status == MALFORMED_STATUS)
            decision = decide(found.state, step_result, claim.now_ms)
            if decision.changes is not None:
                claim = replace(claim, run=found.state.job.run)
                committed = await self._store.commit(claim, decision.changes)
                await self._post_commit(decision.effects if committed.applied else ())
                if committed.applied and decision.changes.ends and decision.changes.job:
                    job_ended(decision.changes.job)
                # An earlier delivery may have left the source message's pending items.
                items = committed.pending if committed.applied else (*committed.pending, *found.pending)
                return Outcome("failed", await self._replay(found.session_id, items, message_id, retried))
            item = found.state.item
            if item.replayed == THROTTLED_ALERT if throttled else item.undelivered == 1:  # one alert for a work item
                text = f"job {event.job_id}: the queue gave up on {event.type}, which is replayed: {reason}"
                await self._post_commit((Alert(event.job_id, text, "undelivered", item.key),))
        replayed = 0
        for replay, those in self._replays(found, replay_of(message_id, retried), claim.now_ms, throttled=throttled):
            replayed += await dispatch(self._emitter, found.session_id, those, replay)
        return Outcome("driven" if replayed else "applied", replayed)

    @staticmethod
    def _replays(
        found: Undelivered, replay: str, now_ms: int, *, throttled: bool
    ) -> Iterator[tuple[str, Sequence[WorkItem]]]:
        """Yield items and the replay that publishes them: a throttled item's is named by the time of its return.

        So the queue takes it once, however many messages about it have died.
        """
        if found.state is None:
            yield replay, found.pending
        elif throttled:
            yield replay, found.pending
            at_ms = replayed_at_ms(found.state.item.replayed, now_ms)
            later = replace(found.state.item, not_before_ms=max(found.state.item.not_before_ms, at_ms))
            yield f"full.{at_ms}", (later,)
        else:
            yield replay, (*found.pending, found.state.item)

    async def _publish_later(self, event: Event) -> Outcome:
        """Publish an unknown job's backup again, for a quarter of an hour, or while the job above it lives."""
        if await self._commands.after_failover.publish_again(event, "later"):
            return Outcome("deferred", 1)
        text = f"the command {event.id} about job {event.job_id} is dropped: there is no such job"
        await self._post_commit((Alert(event.job_id, text, "fact_dropped", event.id),))
        return Outcome("dropped")

    async def _replay(self, session_id: str, items: tuple[WorkItem, ...], message_id: str, retried: int) -> int:
        return await dispatch(self._emitter, session_id, items, replay_of(message_id, retried))
