"""Decides a job's question to a person: it goes on, with edited arguments where there are some, or the call fails.

Invariant: a decision is a signal, so it has its backup message, and the first one stays; a confirmed decision is the
recorded one. Secrets that were not shown stay as they were. What is the operator's alone nobody else decides, by
whatever door; the API checks all other rights to decide.
"""

from collections.abc import Callable
from typing import Any, Literal

from baton.engine.state import CallRecord, Job
from baton.engine.waits import LIMIT_APPROVAL, Decider, approval_view, left_hidden, may_decide, persons_in, restored
from baton.sdk.clock import Clock, Randomness
from baton.sdk.records.limits import limit_fault
from baton.sdk.records.redaction import KnownSecrets, redacted
from baton.sdk.tools.arguments import ARGUMENTS_LIMIT_BYTES
from baton.worker.commands.signal import SignalJob
from baton_events.errors import BatonError
from baton_events.ids import canonical_json
from baton_events.schema import Completion
from baton_events.values.text import cut

_SHOWN_CHARS = 100


class EditError(BatonError):
    """Edited arguments cannot be taken; `field`: the part of the body that is at fault."""

    def __init__(self, detail: str, field: str = "arguments") -> None:
        super().__init__(detail)
        self.field = field


class DecidedError(BatonError):
    """A question was decided before, has expired, or its job has ended."""


class SamePersonError(BatonError):
    """The same person approves a second time where another one must."""

    status = 409


class OperatorsAloneError(BatonError):
    """Somebody decides who is no operator, and an operator alone may."""

    status = 403

    def __init__(self) -> None:
        super().__init__("it raises a limit that everybody shares: an operator decides it, with an admin key, no link")


class DecideApproval:
    def __init__(self, signal: SignalJob, clock: Clock, randomness: Randomness) -> None:
        self._signal, self._clock, self._randomness = signal, clock, randomness

    async def __call__(
        self, job: Job, question: CallRecord, by: Decider, verdict: Literal["ok", "error"], decision: dict[str, Any]
    ) -> dict[str, Any]:
        """Record a decision; return the question with it, as it is shown.

        Raises UnknownJobError: there is no such question of the job. DecidedError: this decision does not count.
        OperatorsAloneError: they may not decide it. SamePersonError: they have approved it already. PublishError,
        StoreError: as for a submission.
        """
        if may_decide(question) == "operator" and not by.is_operator:
            raise OperatorsAloneError
        person = by.person or by.name
        if verdict == "ok" and person in persons_in(question.arguments.get("approvals", ())):
            who = f"{by.name!r}, which counts for one client's key," if by.person else f"{by.name!r}"
            raise SamePersonError(f"{who} has approved it already: another person must approve it, too")
        # The token distinguishes this decision from an equal one: of two at once, one counts.
        signed = {"by": by.name, "at": self._clock.now_ms(), "decision": self._randomness.token()}
        signed |= {"person": by.person} if by.person else {}
        outcome: dict[str, Any] = {verdict: decision | signed}
        signal_result = await self._signal(job, Completion(call_id=question.id, outcome=outcome))
        if not signal_result.counts:
            raise DecidedError("it was decided before, has expired, or its job has ended")
        return approval_view(question, job.id, outcome)


def edited(
    question: CallRecord, arguments: dict[str, Any], secrets: KnownSecrets, check: Callable[[str, dict[str, Any]], None]
) -> dict[str, Any]:
    """Return edited arguments as they are recorded: without secrets, which the question's own record has.

    `check`: refuses arguments that do not fit the tool, with an error of its own.

    Raises EditError: they cannot be taken.
    """
    if question.tool == LIMIT_APPROVAL:
        return _edited_limit(question, arguments)
    original = question.arguments["arguments"]
    given = restored(secrets.hide_in(arguments), original)
    check(question.arguments["tool"], given)
    kept: dict[str, Any] = redacted(given)
    if restored(kept, original) != given or left_hidden(given, original):
        raise EditError("a secret cannot be edited, nor moved: leave it as it is shown, and where it is, or reject")
    size_bytes = len(canonical_json(kept).encode())
    if size_bytes > ARGUMENTS_LIMIT_BYTES:
        raise EditError(f"{size_bytes} bytes of arguments, over the limit of {ARGUMENTS_LIMIT_BYTES}")
    return kept


def _edited_limit(question: CallRecord, arguments: dict[str, Any]) -> dict[str, Any]:
    about, value = question.arguments, arguments.get("value")
    if fault := limit_fault(about.get("unit", about["limit"]), value, about["value"]):
        raise EditError(f"arguments.value must be {fault}, got {cut(repr(value), _SHOWN_CHARS)}", "arguments.value")
    return {"value": value}
