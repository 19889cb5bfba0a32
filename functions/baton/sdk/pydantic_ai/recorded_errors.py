"""A recorded failure of a call as the exception that a run is told of.

Invariant: the class is a built-in one or pydantic-ai's where the name is; else one that is made with it, so that
`isinstance` does not hold for a user's own class.
"""

import builtins
from typing import Any

from pydantic_ai import exceptions

from baton.sdk.agents.runner import RunFailedError


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
