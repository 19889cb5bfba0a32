"""An operation's outcome, by whichever way it comes: checked, found its tool call, and taken in with a backup message.

Invariant: the webhook and the stream take the same path, so what is promised of one holds for the other. The first
outcome stays. Must not: know how an outcome arrives.
"""

import logging
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from baton.commands.acceptance import Acceptance
from baton.engine.commit.answers import SignalResult
from baton.engine.effects import COMPLETIONS
from baton.engine.waits import APPROVALS
from baton.observability.counters import Counters, count
from baton.sdk.any_json import AnyJson
from baton.sdk.redaction import KnownSecrets, redacted
from baton.storage.ports.jobs import Reader, Snapshot
from baton.storage.ports.operation_stream import OperationStream
from baton_events.errors import BatonError, StoreError, UnknownJobError
from baton_events.ids import call_of_operation, job_of_call
from baton_events.schema import Completion

_log = logging.getLogger("baton.operations")

_NO_ERROR_TEXT = "the operation failed"


class UnknownOperationError(BatonError):
    """No tool call has this operation."""

    status = 404

    def __init__(self, operation_id: str) -> None:
        super().__init__(f"there is no operation {operation_id!r}")


class CompletionBody(BaseModel):
    """The outcome of an operation."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    success: Annotated[bool, Field(strict=True)]
    result: AnyJson = None
    error: str | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "CompletionBody":
        if self.success and self.error is not None:
            raise ValueError("a success has no error: send `result`, or `success: false`")
        if not self.success and self.result is not None:
            raise ValueError("a failure has no result: send `error`, or `success: true`")
        return self

    @property
    def outcome(self) -> dict[str, Any]:
        """What is recorded as the call's outcome."""
        if self.success:
            return {"ok": self.result}
        return {"error": {"type": "operation_failed", "message": self.error or _NO_ERROR_TEXT}}


class Completing:
    """Takes in outcomes of operations."""

    def __init__(
        self,
        reader: Reader,
        acceptance: Acceptance,
        stream: OperationStream,
        counters: Counters,
        secrets: KnownSecrets,
    ) -> None:
        self._reader = reader
        self._acceptance = acceptance
        self._stream = stream
        self._counters = counters
        self._secrets = secrets

    async def find(self, operation_id: str) -> tuple[Snapshot, str]:
        """The job of an operation, and the id of the tool call that waits for it.

        Raises:
            UnknownOperationError: there is none; a decision is no operation either, since it needs an operator's key.
        """
        call_id = call_of_operation(operation_id)
        snapshot = await self._reader.job(job_of_call(call_id)) if call_id else None
        if snapshot is None or all(call.id != call_id or call.tool in APPROVALS for call in snapshot.calls):
            raise UnknownOperationError(operation_id)
        return snapshot, call_id

    async def complete(self, operation_id: str, body: CompletionBody, way: str) -> SignalResult:
        """Take in an outcome; `way`: how it came, for the counters.

        Raises:
            UnknownOperationError: there is no such operation.
            PublishError, StoreError: it is not certain that it was taken in.
        """
        snapshot, call_id = await self.find(operation_id)
        outcome = self._secrets.hide_in(redacted(body.outcome))
        try:
            signal_result = await self._acceptance.outside(snapshot.job, Completion(call_id=call_id, outcome=outcome))
        except UnknownJobError as error:
            raise UnknownOperationError(operation_id) from error
        await self._note(operation_id, way, signal_result)
        return signal_result

    async def _note(self, operation_id: str, way: str, signal_result: SignalResult) -> None:
        try:
            await self._stream.forget(operation_id)
        except StoreError as error:
            _log.warning("operation %s is completed, and counted as waiting for a while: %s", operation_id, error)
        await count(self._counters, {f"{COMPLETIONS}:{way}:{signal_result}": 1})
