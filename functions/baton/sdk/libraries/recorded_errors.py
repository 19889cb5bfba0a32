"""A recorded failure of a call as the exception that a run is told of, and an exception of a run as a failure.

Invariant: the class is a built-in one or the library's where the name is; else one that is made with it, so that
`isinstance` does not hold for a user's own class. Errors of the providers' own libraries are told by their classes'
names: none need be installed. Must not: know a library, or decide the number of retries.
"""

import builtins
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import ModuleType
from typing import Any

import httpx

from baton.sdk.agents.runner import RunFailedError
from baton.sdk.clock import SystemClock
from baton.sdk.models.model import ANSWER_CUT, NOTHING_SPENT, ModelError, Origin, Spent
from baton.sdk.models.provider_rules import meaning_of
from baton.sdk.tools.contained import CutShortError
from baton_events.values.text import cut, text_of
from baton_events.values.waits import requested_wait_seconds

# What a piece has used by its end, and what is to be kept if the run has ended there.
Used = Callable[[], tuple[Spent, dict[str, Any] | None]]
# By the type of a call's error, its outcome: the model gets it. Every other error fails the run.
OUTCOMES = {"rejected": "denied", "expired": "denied", "operation_failed": "failed", ANSWER_CUT: "failed"}
_MAY_PASS = frozenset({408, 409, 425, 429})
_FIRST_SERVER_STATUS = 500
_UNANSWERED = frozenset({"APIConnectionError", "APITimeoutError"})
_SHOWN_CHARS = 80


class RecordedFailureError(Exception):
    """A call of the run has failed; the class that a run sees is named like its error."""


def recorded_error(failure: RunFailedError, exceptions: ModuleType) -> Exception:
    """Make the exception. `exceptions`: the library's module of its own."""
    known: Any = getattr(builtins, failure.type, None) or getattr(exceptions, failure.type, None)
    if isinstance(known, type) and issubclass(known, Exception):
        try:
            error: Exception = known(failure.message)
        except TypeError:  # it takes more than a text
            pass
        else:
            return error
    made: type[Exception] = type(failure.type, (RecordedFailureError,), {})
    return made(failure.message)


def error_of_result(stored: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the error of a call that the model is told of; None: it has a result.

    Raises RunFailedError: the error fails the run, as an exception of a tool does.
    """
    error: Mapping[str, Any] | None = stored.get("error")
    if error is None and "ok" not in stored:
        error = {"type": "unknown", "message": "the result is not recorded"}
    if error is not None and error["type"] not in OUTCOMES:
        raise RunFailedError(error["type"], error["message"])
    return error


def failure_of(error: Exception, of_model: ModelError | None, used: Sequence[Used]) -> ModelError | RunFailedError:
    """Return the failure of a turn, with its usage: it fails the job; only a provider's failure may be retried.

    `of_model`: what the error is, if it is a provider's.
    """
    if isinstance(error, RunFailedError):
        failure: ModelError | RunFailedError = error
    elif of_model is not None:
        failure = of_model
    else:
        kind = error.type if isinstance(error, CutShortError) else type(error).__name__
        failure = RunFailedError(kind, text_of(error) or "no message")
    for one in used:
        with suppress(Exception):  # what cannot be kept: its error is told without it
            spent, kept = one()
            failure.spent = spent if spent != NOTHING_SPENT else failure.spent
            if isinstance(failure, RunFailedError):
                failure.kept = kept
    return failure


def ended_by(word: str, spent: Spent = NOTHING_SPENT) -> Origin | None:
    """Return the mark of an answer that a provider's word says was cut off; empty: it says nothing.

    Raises ModelError: the answer is broken.
    """
    meaning = meaning_of(word) if word else "stop"
    if meaning == "error":
        fault = f"the answer ended with {cut(word, _SHOWN_CHARS)!r}, so it is not whole"
        raise ModelError(fault, retryable=True, spent=spent)
    return Origin(finish_reason=meaning) if meaning == "length" else None


def provider_error(error: Exception) -> ModelError | None:
    """Return the failure of a provider that an error is; None: it is none."""
    if isinstance(error, ModelError):
        return error
    status, answer = getattr(error, "status_code", None), getattr(error, "response", None)
    if isinstance(status, int) and answer is not None:
        retryable = status in _MAY_PASS or status >= _FIRST_SERVER_STATUS
        headers: Any = getattr(answer, "headers", {})
        wait = requested_wait_seconds(dict(headers), SystemClock().now_ms()) if retryable else None
        return ModelError(f"{status}: {text_of(error)}", retryable=retryable, retry_after_seconds=wait)
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & _UNANSWERED or isinstance(error, httpx.TransportError):
        return ModelError(text_of(error) or "no answer", retryable=True, unanswered=True)
    return None
