"""Foreign code in a task of its own: whatever leaves it, an exit or a cancellation of its own included, is an error.

Invariant: only who cancels the caller cancels the caller. Must not: limit the time of what it runs.
"""

import asyncio
import sysconfig
from collections.abc import Awaitable, Callable
from pathlib import Path
from traceback import FrameSummary, extract_tb
from typing import Any, TypeVar

from msgspec import Struct

_T = TypeVar("_T")


class CutShortError(Exception):
    """Foreign code ended with what is no `Exception`: it cancelled itself, or meant to end the process.

    Attributes:
        type: the name of what it raised.
    """

    def __init__(self, cause: BaseException) -> None:
        super().__init__(str(cause))
        self.__cause__ = cause
        self.type = type(cause).__name__


class Outcome(Struct, frozen=True):
    """How foreign code ended."""

    value: Any = None
    error: Exception | None = None

    def result(self) -> Any:
        """What it returned.

        Raises:
            Exception: what it raised; `CutShortError` for what is none.
        """
        if self.error is not None:
            raise self.error
        return self.value


async def outcome_of(work: Callable[[], Awaitable[Any]]) -> Outcome:
    """How the work ended; run it as a task of its own, so that the work cannot cancel others."""
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
    """What foreign code returns.

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


_MOST_FRAMES, _MOST_CAUSES, _SHOWN_PARTS = 20, 5, 3
_LIBRARIES = tuple(sysconfig.get_paths()[name] for name in ("stdlib", "purelib", "platlib"))
_OWN = str(Path(__file__).parents[1])


def traceback_text(error: BaseException) -> str:
    """Where an error was raised, the newest call first: the user's frames, then those of libraries; then its causes."""
    lines: list[str] = []
    cause: BaseException | None = error
    for number in range(_MOST_CAUSES):
        if cause is None:
            break
        if number:
            lines.append(f"after {type(cause).__name__}: {cause}")
        frames = extract_tb(cause.__traceback__)[::-1]
        users = [frame for frame in frames if not frame.filename.startswith((_OWN, *_LIBRARIES))]
        lines += map(_line, users[:_MOST_FRAMES])
        if others := [frame for frame in frames if frame not in users]:
            lines += ["in libraries:", *map(_line, others[:_MOST_FRAMES])]
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return "\n".join(lines)


def _line(frame: FrameSummary) -> str:
    place = "/".join(Path(frame.filename).parts[-_SHOWN_PARTS:])
    return f"  {place}:{frame.lineno} in {frame.name}: {frame.line}"
