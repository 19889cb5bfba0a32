"""A recorded failure of a call as the exception that a run is told of, and an exception of a run as a failure.

Invariant: the class is a built-in one or pydantic-ai's where the name is; else one that is made with it, so that
`isinstance` does not hold for a user's own class.
"""

import builtins
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import pydantic_ai as ai
from pydantic_ai import exceptions

from baton.sdk.agents.runner import RunFailedError
from baton.sdk.models.model import ModelError, Spent
from baton.sdk.models.through_pydantic_ai.errors import model_error
from baton.sdk.tools.contained import CutShortError
from baton_events.values.text import text_of

# What a run has used up to the end of a piece, and up to its beginning; and what is to be kept, if it has ended there.
Used = tuple[ai.RunUsage, ai.RunUsage, Callable[[], dict[str, Any] | None]]


class RecordedFailureError(Exception):
    """A call of the run has failed; the class that a run sees is named like its error."""


def recorded_error(failure: RunFailedError) -> Exception:
    """Make the exception."""
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


@asynccontextmanager
async def as_recorded(failed: Exception | None, failure: RunFailedError | None) -> AsyncIterator[None]:
    """Raise a call's failure as it was recorded, if the run makes nothing else of it."""
    try:
        yield
    except Exception as error:
        if error is failed and failure is not None:
            raise failure from error
        raise


def failure_of(error: Exception, used: Sequence[Used]) -> ModelError | RunFailedError:
    """Return the failure of a turn, with its usage: it fails the job; only a provider's failure may be retried."""
    of_provider = ModelError | ai.ModelAPIError | ai.FallbackExceptionGroup
    if isinstance(error, RunFailedError):
        failure: ModelError | RunFailedError = error
    elif isinstance(error, of_provider):
        failure = model_error(error)
    else:
        kind = error.type if isinstance(error, CutShortError) else type(error).__name__
        failure = RunFailedError(kind, text_of(error) or "no message")
    for now, before, kept in used:
        if isinstance(failure, RunFailedError):
            with suppress(Exception):  # what cannot be kept: its error is told without it
                failure.kept = kept()
        one = now - before
        if one.input_tokens or one.output_tokens:
            failure.spent = Spent(max(one.requests, 1), one.input_tokens, one.output_tokens, float(one.cost or 0))
    return failure
