"""Signals a job: an event that it waits for, or will, the outcome of a tool call that waits, or a message of its user.

The first outcome of a wait stays. The call publishes its backup message, records the signal, and dispatches the items
that waited for it. The backup message records the signal where a failover forgot it, and again once a forgotten call is
there. An operation's outcome takes the same path by webhook and by stream. Must not: know how an outcome arrives.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from msgspec import Struct, structs

from baton.engine.background_calls import call_of, operation_of
from baton.engine.commit.answers import Signal, SignalAnswer, SignalResult
from baton.engine.effects import COMPLETIONS
from baton.engine.state import CallRecord, Job
from baton.engine.step_results import ToolWaits
from baton.engine.transcript import task_entry
from baton.engine.waits import APPROVALS
from baton.engine.work_items import ItemKind, WorkItem
from baton.sdk.clock import Clock
from baton.sdk.records.redaction import KnownSecrets, outcome_for_code, redacted
from baton.sdk.tools.pending import TIMED_OUT
from baton.store.records.jobs import Snapshot
from baton.store.redis.operation_stream import OperationStream
from baton.store.redis.reader import Reader
from baton.store.redis.store import Store
from baton.store.redis.totals import Counters, count
from baton.worker.admission.stored_quota import StoredQuota
from baton.worker.commands.after_failover import AfterFailover
from baton.worker.commands.backup import Backups
from baton.worker.commands.submit import SubmitJob
from baton_events.errors import BatonError, JobGoneError, StoreError, UnknownJobError
from baton_events.ids import call_of_operation, canonical_json, job_of_call, started_by
from baton_events.schema import Completion, Event, Occurrence, Steering

if TYPE_CHECKING:
    from collections.abc import Callable

    from baton.worker.commands.completion_body import CompletionBody
    from baton.worker.payloads import Leaving

_log = logging.getLogger("baton.operations")

Signalling = Completion | Occurrence | Steering


class SignalJob:
    """Signals jobs, for the API or for a backup message. `leaving`: takes large outcomes; None: they are as others."""

    leaving: "Callable[[Job], Leaving] | None" = None

    def __init__(
        self, store: Store, quota: StoredQuota, backups: Backups, after_failover: AfterFailover, clock: Clock
    ) -> None:
        self._store, self._quota, self._backups, self._after_failover = store, quota, backups, after_failover
        self._clock = clock

    async def __call__(self, job: Job, command: Signalling) -> SignalResult:
        """Record a signal for a present or later wait: an operation's outcome, an event, or a message of its user.

        Raises UnknownJobError: there is no such tool call of the job. PublishError, StoreError: as for a submission.
        """
        return (await self.answered(job, command)).signal_result

    async def answered(self, job: Job, command: Signalling) -> SignalAnswer:
        """Record a signal, as above; return the store's answer."""
        if isinstance(command, Completion | Steering):
            command = structs.replace(command, run=job.run)
        command_id = self._backups.new_id(job.id, command)
        backup = self._backups.of(job, command, command_id)
        signal = signal_of(command_id, command)
        if isinstance(command, Occurrence) and self.leaving is not None:
            signal = replace(signal, outcome=await self.leaving(job).call_outcome(signal.outcome))
        counted = self._quota.counts(signal)
        signalled = await backup.committed(lambda relay_id: self.commit(job.id, signal, relay_id, counted))
        if counted and signalled.signal_result.is_new:
            await self._quota.signalled(job, counted)
        if signalled.signal_result in (SignalResult.OTHER, SignalResult.ENDED) and not signalled.items:
            await backup.not_needed()
        await backup.publish_if_late()
        await backup.dispatch(job, signalled.items)
        return signalled

    async def stored(self, job: Job, outcome: dict[str, Any]) -> dict[str, Any]:
        """Put the value of a large outcome into the object store; return the outcome that names it."""
        if self.leaving is None:
            return outcome
        text = canonical_json(outcome)
        kept = await self.leaving(job).call_outcome(text)
        return outcome if kept is text else json.loads(kept)

    async def commit(self, job_id: str, signal: Signal, relay_id: str, counted_bytes: int = 0) -> SignalAnswer:
        """Record a signal, which ends a wait or is kept until there is one. `counted_bytes`: as of `create`.

        Raises UnknownJobError: there is no such job, or it is not in that run (yet).
        """
        signalled = await self._store.signal(job_id, relay_id, signal, self._clock.now_ms(), counted_bytes)
        if signalled.signal_result is SignalResult.UNKNOWN:
            raise UnknownJobError(f"there is no job {job_id!r} (yet), or it is not in run {signal.run}")
        return signalled

    async def again(self, event: Event, command: Signalling, relay_id: str) -> tuple[WorkItem, ...]:
        """Repeat the signal of a backup message.

        A signal that is new here was forgotten in a failover, and may be again; a forgotten call is replayed, too.
        """
        signalled = await self.commit(event.job_id, signal_of(event.id, command), relay_id)
        if signalled.signal_result.is_new:
            await self._after_failover.publish_again(event, "kept")
        if signalled.signal_result is SignalResult.EARLY:
            await self._after_failover.bring_on(event, relay_id)
        return signalled.items


def occurrence(job: Job, name: str, own: Any) -> Occurrence:
    """Return an event for a wait of the job's: code gets its data as it is."""
    shown = redacted(own)
    return Occurrence(name=name, data=shown, own=own if job.model.is_programmed and own != shown else None)


def signal_of(command_id: str, command: Signalling) -> Signal:
    """Return the signal of a command, as the store takes it; it has the id of the command's event."""
    match command:
        case Completion():
            return Signal(command_id, canonical_json(command.outcome), call_id=command.call_id, run=command.run)
        case Occurrence():
            shown = {"ok": command.data}
            outcome = shown if command.own is None else outcome_for_code(shown, {"ok": command.own})
            return Signal(command_id, canonical_json(outcome), event=command.name)
        case Steering():
            data = {"data": command.data} if command.data else {}
            entry = task_entry({"text": command.text, "messageId": command.id} | data)
            return Signal(command.id, "", run=command.run, message=entry)


_CLOCKS_DIFFER_MS = 1_000


class UnknownOperationError(BatonError):
    """No tool call has this operation."""

    status = 404

    def __init__(self, operation_id: str) -> None:
        super().__init__(f"there is no operation {operation_id!r}")


def operations_of(snapshot: Snapshot) -> tuple[CallRecord, ...]:
    """Return the tool calls of a job that outcomes from outside finish, or have finished, in their order."""
    return tuple([call for call in snapshot.calls if call.operation_id and call.tool not in APPROVALS])


class TakenIn(Struct, frozen=True):
    """How an outcome was taken in. `call`: the call of an operation's job that has ended by it; None: there is none."""

    signal_result: SignalResult
    operation: Job | None = None
    call: CallRecord | None = None
    outcome: Mapping[str, Any] = {}


# How long an operation waits that its own outcome starts, should that be lost: its sender repeats it.
_EARLY_MS = 86_400_000


class CompleteOperation:
    def __init__(
        self,
        reader: Reader,
        signal: SignalJob,
        submit: SubmitJob,
        stream: OperationStream,
        counters: Counters,
        secrets: KnownSecrets,
        clock: Clock,
    ) -> None:
        self._reader, self._signal, self._submit, self._clock = reader, signal, submit, clock
        self._stream, self._counters, self._secrets = stream, counters, secrets

    async def find(self, operation_id: str) -> tuple[Snapshot, str]:
        """Return the job of an operation, and the id of the tool call that waits for it.

        Raises:
            UnknownOperationError: there is none; a decision is no operation either, since it needs an operator's key.
        """
        call_id = call_of_operation(operation_id)
        snapshot = await self._reader.job(job_of_call(call_id)) if call_id else None
        if snapshot is None or all(call.id != call_id or call.tool in APPROVALS for call in snapshot.calls):
            raise UnknownOperationError(operation_id)
        return snapshot, call_id

    async def known_id(self, operation_id: str, task_id: str, by_ms: int) -> str:
        """Return the operation meant by an entry: if the named one does not exist, the one that the task (job) awaits.

        The same entry, read again, means the same operation: only those that waited when it was added count (`by_ms`).
        Where the task waits for none of them any more, its last one is meant. Raises UnknownOperationError: the task
        waits for several, or never waited for any.
        """
        if not task_id or job_of_call(call_of_operation(operation_id)) == task_id:
            return operation_id
        try:
            await self.find(operation_id)
        except UnknownOperationError:
            snapshot = await self._reader.job(task_id)
            calls = operations_of(snapshot) if snapshot else ()
            before = [call for call in calls if (call.started_at_ms or 0) <= by_ms + _CLOCKS_DIFFER_MS]
            waiting = [call for call in before if call.finished_at_ms is None] or before[-1:]
            if len(waiting) != 1:
                raise UnknownOperationError(operation_id or f"of task {task_id}") from None
            return waiting[0].operation_id
        return operation_id

    async def complete(self, operation_id: str, body: "CompletionBody", way: str) -> TakenIn:
        """Take in an outcome; `way`: how it came, for the counters.

        Raises UnknownOperationError: there is no such operation. PublishError, StoreError: it is not certain that it
        was taken in.
        """
        try:
            snapshot, call_id = await self.find(operation_id)
            job, call = snapshot.job, next(call for call in snapshot.calls if call.id == call_id)
        except UnknownOperationError:
            started = await self._started(operation_id)
            if started is None:
                return TakenIn(SignalResult.ENDED)
            job, call = started
        own = self._secrets.hide_in(body.outcome)
        outcome = outcome_for_code(redacted(own), own) if job.model.is_programmed else redacted(own)
        try:
            kept = await self._signal.stored(job, outcome)
            answer = await self._signal.answered(job, Completion(call_id=call.id, outcome=kept))
        except UnknownJobError as error:
            raise UnknownOperationError(operation_id) from error
        await self._note(operation_id, way, answer.signal_result)
        if not job.is_operation or not await self._is_over(job, call, answer):
            return TakenIn(answer.signal_result)
        return TakenIn(answer.signal_result, job, call, outcome)

    async def _is_over(self, operation: Job, call: CallRecord, answer: SignalAnswer) -> bool:
        """Return whether this is the call's outcome: of its wait, or kept for the wait that its running tool begins.

        One that is kept while a person is asked is none: the call may be rejected.
        """
        if answer.signal_result is SignalResult.FIRST and any(item.call_id == call.id for item in answer.items):
            return True
        if answer.signal_result not in (SignalResult.FIRST, SignalResult.AGAIN):
            return False
        snapshot = await self._reader.job(operation.id)
        if snapshot is None:
            return False
        runs = any(item.kind is ItemKind.CALL and item.call_id == call.id for item in snapshot.items)
        return runs or call.id in snapshot.results

    async def _started(self, operation_id: str) -> tuple[Job, CallRecord] | None:
        """Return the operation of a call in progress, whose outcome is here before the tool has returned, and its call.

        None: the call is over, and has not gone on in the background. Raises UnknownOperationError: there is no such
        call.
        """
        background_id = call_of_operation(operation_id)
        call_id, _ = started_by(job_of_call(background_id))
        snapshot = await self._reader.job(job_of_call(call_id)) if call_id else None
        call = next((call for call in snapshot.calls if call.id == call_id), None) if snapshot else None
        if snapshot is None or call is None or call_of(snapshot.job, call) != background_id:
            raise UnknownOperationError(operation_id)
        # It may not be there yet, or was forgotten in a failover.
        if call.operation_id != operation_id and (call.finished_at_ms is not None or snapshot.job.ended):
            return None
        now_ms = self._clock.now_ms()
        waits = ToolWaits(now_ms + _EARLY_MS, canonical_json({"ok": TIMED_OUT}), operation_id=operation_id)
        started = operation_of(snapshot.job, call, call.arguments, waits, now_ms)
        try:
            await self._submit(started.job, started.task, may_exist=True)
        except JobGoneError:
            return None
        return started.job, structs.replace(call, id=background_id)

    async def _note(self, operation_id: str, way: str, signal_result: SignalResult) -> None:
        try:
            await self._stream.forget(operation_id)
        except StoreError as error:
            _log.warning("operation %s is completed, and counted as waiting for a while: %s", operation_id, error)
        await count(self._counters, {f"{COMPLETIONS}:{way}:{signal_result}": 1})
