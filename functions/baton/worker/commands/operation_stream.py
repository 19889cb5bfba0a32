"""Outcomes that come by the stream `operations:completed`: read with each sweep, and while an operation waits.

After an operation has begun to wait, messages come back to read the stream: after SWEEP_INTERVAL_SECONDS, then each
time after four times as long. None comes after an hour or more, since the hourly sweep reads the stream anyway. All
operations that begin to wait in the same slot of time share these messages. The hourly sweep makes up for a lost one.
Invariant: an entry is acknowledged when its outcome has a backup message and is recorded, or when it is buried with a
reason. One that cannot be taken in here and now holds up no other.
"""

import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from pydantic import ValidationError

from baton.engine.effects import COMPLETIONS
from baton.engine.state import CallRecord, Job
from baton.sdk.clock import Clock
from baton.sdk.records.foreign_text import ForeignText
from baton.store.redis.operation_stream import OperationStream, StreamEntry
from baton.store.redis.totals import Counters, count
from baton.worker.commands.signal import CompleteOperation, UnknownOperationError
from baton_events.emitter import Emitter
from baton_events.errors import NewerVersionError, PublishError, StorageFullError, StoreError
from baton_events.schema import SWEEP_ENDPOINT
from baton_events.values.text import storable_json

if TYPE_CHECKING:
    from baton.worker.commands.completion_body import CompletionBody

_log = logging.getLogger("baton.operations")

# How long an outcome is kept that comes before its operation is in the state, or after a failover forgot that.
PATIENCE_MS = 900_000
_TRUE, _FALSE = ("true", "1"), ("false", "0")


# The factor from each pause to the next; the hourly sweep does the rest.
_SLOWER, _HOURLY_MS = 4, 3_600_000
LAST_POLL = 12  # where pauses of a second would have become hours
# How long one poll of a stream with many entries goes on; the next one takes in the rest.
POLL_MS = 15_000


# Of an operation, with its call and its outcome.
Ended = Callable[[Job, CallRecord, Mapping[str, Any]], Awaitable[None]]


class Poll(Struct, frozen=True):
    """An armed poll of the stream: its time, and its number since an operation began to wait."""

    slot_ms: int
    number: int = 0


def pause_ms(interval_ms: int, number: int) -> int:
    """Return the pause before this poll; 0: there is none, as the hourly sweep comes as soon."""
    pause = interval_ms * _SLOWER**number
    return pause if pause < _HOURLY_MS else 0


class UnreadableEntryError(ValueError):
    """An entry that can complete no operation; the message has the reason."""


class OperationOutcomes:
    """Reads the stream. `interval_ms`: how often while an operation waits; 0: never, the stream is not used.

    `ended`: continues the session of an operation that an entry has ended, before the entry is acknowledged; None: its
    own end does.
    """

    ended: Ended | None = None

    def __init__(
        self,
        stream: OperationStream,
        completing: CompleteOperation,
        emitter: Emitter,
        counters: Counters,
        clock: Clock,
        *,
        interval_ms: int,
        limit_bytes: int,
    ) -> None:
        self._stream, self._completing, self._emitter, self._counters = stream, completing, emitter, counters
        self._clock, self._interval_ms, self._limit_bytes = clock, interval_ms, limit_bytes

    async def expect(self, operation_id: str, until_ms: int) -> None:
        """Note that an operation begins to wait; if this fails, the hourly sweep finds its outcome."""
        if not self._interval_ms:
            return
        try:
            await self._stream.expect(operation_id, until_ms)
            await self._arm(Poll(0))
        except (StoreError, PublishError) as error:
            _log.warning("the stream is read for operation %s by the hourly sweep only: %s", operation_id, error)

    async def poll(self, armed: Poll | None = None) -> int:
        """Read the stream; `armed`: the poll that a message requests. Return how many outcomes were taken in."""
        if not self._interval_ms:
            return 0
        taken = await self._take_in()
        if armed is not None and await self._stream.expected(self._clock.now_ms()):
            await self._arm(Poll(armed.slot_ms, armed.number + 1))
        return taken

    async def _arm(self, poll: Poll) -> None:
        """Arm a poll in a later time slot than the one before it: the queue's clock may be ahead of this one."""
        pause = pause_ms(self._interval_ms, poll.number)
        if not pause:
            return
        slot_ms = (max(self._clock.now_ms(), poll.slot_ms) // pause + 1) * pause
        body = json.dumps({"operationsMs": slot_ms, "poll": poll.number})
        name = f"operations.{poll.number}.{slot_ms}"
        await self._emitter.emit_to(SWEEP_ENDPOINT, body, not_before_ms=slot_ms, deduplication_id=name)

    async def _take_in(self) -> int:
        over, began_ms = 0, self._clock.now_ms()
        while entries := await self._stream.take():
            for entry in entries:
                if await self._is_over(entry):
                    await self._stream.done([entry.id])
                    over += 1
            if self._clock.now_ms() - began_ms >= POLL_MS:
                return over
        if over:
            await self._stream.trim()
        return over

    async def _is_over(self, entry: StreamEntry) -> bool:
        """Return whether the entry must be acknowledged; a buried one is already."""
        try:
            operation_id, task_id, body = read_entry(entry, self._limit_bytes)
        except UnreadableEntryError as error:
            await self._bury(entry, str(error))
            return False
        try:
            known = await self._completing.known_id(operation_id, task_id, entry.added_ms)
            taken_in = await self._completing.complete(known, body, "stream")
            if self.ended is not None and taken_in.operation is not None and taken_in.call is not None:
                await self.ended(taken_in.operation, taken_in.call, taken_in.outcome)
        except UnknownOperationError as error:
            if self._clock.now_ms() - entry.added_ms > PATIENCE_MS:
                await self._bury(entry, str(error))
            return False
        except (NewerVersionError, StorageFullError) as error:  # another process can take it in, or a later poll
            _log.warning("entry %s of the stream of outcomes is left for later: %s", entry.id, error)
            return False
        _log.info("entry %s completes operation %s: %s", entry.id, operation_id, taken_in.signal_result)
        return True

    async def _bury(self, entry: StreamEntry, reason: str) -> None:
        _log.error(
            "entry %s of the stream of outcomes is kept for a person, in operations:dead: %s",
            entry.id,
            ForeignText(reason),
        )
        await self._stream.bury(entry, reason)
        await count(self._counters, {f"{COMPLETIONS}:stream:dead": 1})


class Operations(Struct, frozen=True):
    """The two ways in for outcomes: one at a time, and by the stream."""

    completing: CompleteOperation
    outcomes: OperationOutcomes


def read_entry(entry: StreamEntry, limit_bytes: int) -> tuple[str, str, "CompletionBody"]:
    """Parse the operation, its task and the outcome: fields as in the webhook's body, or one field `data` as JSON.

    `operation_id` may be written `operationId`, and `task_id` `taskId`; one of both may be empty. A single field's
    `success` is true or false; its `result` is JSON, and anything else is a text.

    Raises UnreadableEntryError: it cannot be read.
    """
    size_bytes = sum(len(text.encode()) for text in entry.fields.values())
    if size_bytes > limit_bytes:
        raise UnreadableEntryError(f"it has {size_bytes} bytes, over RESULT_LIMIT_BYTES ({limit_bytes})")
    document = _document(entry.fields["data"]) if "data" in entry.fields else _from_fields(entry.fields)
    operation_id = document.get("operation_id") or document.get("operationId") or ""
    task_id = document.get("task_id") or document.get("taskId") or ""
    if not isinstance(operation_id, str) or not isinstance(task_id, str) or not (operation_id or task_id):
        raise UnreadableEntryError("it names no operation: it needs the field `operation_id`, or `task_id`")
    from baton.worker.commands.completion_body import CompletionBody  # noqa: PLC0415 - of those that read an outcome

    try:
        body = {name: document[name] for name in ("success", "result", "error") if name in document}
        return operation_id, task_id, CompletionBody.model_validate(body)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, f['loc'])) or 'it'}: {f['msg']}" for f in error.errors())
        raise UnreadableEntryError(f"it is no outcome: {faults}") from error


def _document(text: str) -> dict[str, Any]:
    try:
        document = json.loads(storable_json(text.encode()))
    except (ValueError, RecursionError) as error:
        raise UnreadableEntryError("its field `data` is not JSON") from error
    if not isinstance(document, dict):
        raise UnreadableEntryError("its field `data` is no JSON object")
    return document


def _from_fields(fields: dict[str, str]) -> dict[str, Any]:
    document: dict[str, Any] = dict(fields)
    if (word := fields.get("success", "").lower()) in (*_TRUE, *_FALSE):
        document["success"] = word in _TRUE
    with contextlib.suppress(ValueError, RecursionError):  # anything but JSON stays a text
        document["result"] = json.loads(fields.get("result", ""))
    # A stream has no null: an empty text stands for none.
    return {name: value for name, value in document.items() if value != ""}
