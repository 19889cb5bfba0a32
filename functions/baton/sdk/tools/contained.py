"""Foreign code in a task of its own: even an exit or a cancellation of its own becomes an error.

Invariant: the caller is cancelled only from outside, never by the foreign code. Late code is cancelled and awaited.
"""

import asyncio
import sys
import traceback
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, TypeVar

from msgspec import Struct

from baton_events.values.text import text_of

_T = TypeVar("_T")
# The modules above foreign code in a traceback, and those that a library's run has above its user's code.
_CALLERS = ("baton.", "asyncio.", "importlib")
_LIBRARIES = (
    *("pydantic_ai.", "pydantic_graph.", "pydantic.", "langchain", "langgraph", "openai.", "anyio."),
    *("concurrent.", "contextlib", "threading", "functools"),
)
_OURS = ("baton.", "baton_events.")
_BETWEEN = ("asyncio.", "concurrent.", "contextlib", "threading")  # calls of both go through these


class CutShortError(Exception):
    """Foreign code ended with no `Exception`: it cancelled itself, or tried to end the process.

    Attributes:
        type: the class name of the raised exception.
    """

    def __init__(self, cause: BaseException) -> None:
        super().__init__(text_of(cause))
        self.__cause__ = cause
        self.type = type(cause).__name__


class Outcome(Struct, frozen=True):
    """The end of foreign code: its value or its error."""

    value: Any = None
    error: Exception | None = None

    def result(self) -> Any:
        """Return the value. Raises Exception: what it raised; `CutShortError` for what is none."""
        if self.error is not None:
            raise self.error
        return self.value


async def outcome_of(work: Callable[[], Awaitable[Any]], ended: Callable[[], None] | None = None) -> Outcome:
    """Run the work and return its outcome; give it a task of its own, so that the work cannot cancel others.

    `ended`: called at its end, which callbacks of the task are told of later.
    """
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
    finally:
        if ended is not None:
            ended()


async def contained(work: Callable[[], Awaitable[_T]], limit_seconds: float) -> _T:
    """Run foreign code within its time, and return its result; without any time it does not begin.

    Raises:
        TimeoutError: it did not return in time.
        Exception: what it raised; `CutShortError` for what is none.
    """
    caller = asyncio.current_task()
    assert caller is not None, "a coroutine runs in a task"
    if limit_seconds <= 0:
        raise TimeoutError
    before, loop = caller.cancelling(), asyncio.get_running_loop()
    task = loop.create_task(outcome_of(work))
    late = loop.call_later(limit_seconds, task.cancel)
    try:
        outcome = await task
    except asyncio.CancelledError as error:
        if caller.cancelling() > before:
            raise
        if loop.time() >= late.when():
            raise TimeoutError from error
        raise CutShortError(error) from error  # it cancelled its own task
    finally:
        late.cancel()
    result: _T = outcome.result()
    return result


def is_foreign(error: BaseException) -> bool:
    """Return whether contained code has raised the error in its own words, and not by calling Baton."""
    inside = foreign = False
    for frame, _ in traceback.walk_tb(error.__traceback__):
        module = frame.f_globals.get("__name__", "")
        if frame.f_code is outcome_of.__code__:
            inside, foreign = True, False
        elif inside and module.startswith(_OURS):
            if foreign:
                return False
        elif inside and not module.startswith(_BETWEEN):
            foreign = True
    return foreign


def traceback_of(error: BaseException) -> str:
    """Format the error with its traceback, and its causes with theirs: each begins at the foreign code."""
    try:
        formatted = traceback.TracebackException.from_exception(error)
        shown = list(_with_causes(error, formatted))
        found = _has_place(shown)
        for each, part in shown:
            part.stack[:] = part.stack[_before(each, found=found) :]
        return "".join(formatted.format()).rstrip()
    except Exception:  # noqa: BLE001 - an error's own text and notes are foreign code, too
        return f"{type(error).__name__}: {text_of(error)}"


def has_place(error: BaseException) -> bool:
    """Return whether the error, or a cause of it, has passed through code that is no library's here."""
    return _has_place(_with_causes(error, traceback.TracebackException.from_exception(error)))


def _has_place(shown: Iterable[tuple[BaseException, traceback.TracebackException]]) -> bool:
    return any(not _is_called(each) for each, _ in shown)


def _with_causes(
    error: BaseException, formatted: traceback.TracebackException
) -> Iterator[tuple[BaseException, traceback.TracebackException]]:
    pairs = [(error, formatted)]
    while pairs:
        each, part = pairs.pop()
        yield each, part
        below = [(each.__cause__, part.__cause__), (each.__context__, part.__context__)]
        pairs += [(inner, form) for inner, form in below if inner is not None and form is not None]
        if isinstance(each, BaseExceptionGroup):
            pairs += zip(each.exceptions, part.exceptions or (), strict=False)


def _modules(error: BaseException) -> list[str]:
    return [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)]


def _is_called(error: BaseException) -> bool:
    called, python = (*_CALLERS, *_libraries()), sys.stdlib_module_names
    return all(module.startswith(called) or module.partition(".")[0] in python for module in _modules(error))


def _libraries() -> tuple[str, ...]:
    """Return the prefixes of libraries; OpenAI's has a name that a user's own package may have where it is not used."""
    return (*_LIBRARIES, "agents.") if "agents.run_internal" in sys.modules else _LIBRARIES


def _before(error: BaseException, *, found: bool) -> int:
    """Return how many frames to leave out: all before a user's code.

    An error of a library alone has its last one, where a user's code is `found` in another; else all but our own.
    """
    modules = _modules(error)
    if found and _is_called(error):
        return max(0, len(modules) - 1)
    above = (*_CALLERS, *_libraries()) if found else _CALLERS
    return next((at for at, module in enumerate(modules) if not module.startswith(above)), len(modules))
