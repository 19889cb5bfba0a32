"""Foreign code in a task of its own: even an exit or a cancellation of its own becomes an error.

Invariant: the caller is cancelled only from outside, never by the foreign code. Must not: limit the time of the code.
"""

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from msgspec import Struct

_T = TypeVar("_T")
_CALLERS = ("baton.", "asyncio.", "importlib")  # the modules above foreign code in a traceback


class CutShortError(Exception):
    """Foreign code ended with no `Exception`: it cancelled itself, or tried to end the process.

    Attributes:
        type: the class name of the raised exception.
    """

    def __init__(self, cause: BaseException) -> None:
        super().__init__(str(cause))
        self.__cause__ = cause
        self.type = type(cause).__name__


class Outcome(Struct, frozen=True):
    """The end of foreign code: its value or its error."""

    value: Any = None
    error: Exception | None = None

    def result(self) -> Any:
        """Return the value.

        Raises:
            Exception: what it raised; `CutShortError` for what is none.
        """
        if self.error is not None:
            raise self.error
        return self.value


async def outcome_of(work: Callable[[], Awaitable[Any]]) -> Outcome:
    """Run the work and return its outcome; give it a task of its own, so that the work cannot cancel others."""
    try:
        return Outcome(await work())
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        return Outcome(error=CutShortError(error))
    except Exception as error:  # noqa: BLE001 - foreign code: its failure is an outcome
        return Outcome(error=error)
    except BaseException as error:  # noqa: BLE001 - an exit would end the event loop, and the process with it
        return Outcome(error=CutShortError(error))


async def contained(work: Callable[[], Awaitable[_T]]) -> _T:
    """Run foreign code and return its result.

    Raises:
        Exception: what it raised; `CutShortError` for what is none.
    """
    caller = asyncio.current_task()
    assert caller is not None, "a coroutine runs in a task"
    before = caller.cancelling()
    try:
        outcome = await asyncio.create_task(outcome_of(work))
    except asyncio.CancelledError as error:
        if caller.cancelling() > before:
            raise
        raise CutShortError(error) from error  # it cancelled its own task
    result: _T = outcome.result()
    return result


def traceback_of(error: BaseException) -> str:
    """Format the error with its traceback, which begins at the foreign code."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_globals.get("__name__", "").startswith(_CALLERS):
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace)).rstrip()
