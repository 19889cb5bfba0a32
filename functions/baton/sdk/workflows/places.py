"""Places in the user's files: where code calls a step, waits or fails.

Invariant: a frame of Python's own library, of an installed package or of Baton is no place of the user's. Must not:
read a file.
"""

import gc
import sys
import traceback
from collections.abc import Iterator
from types import AsyncGeneratorType, CodeType, FrameType
from typing import Any

from msgspec import Struct

from baton.sdk.workflows.loads import is_library, shown_as


class Place(Struct, frozen=True):
    """A line of the user's code, within the module of that name."""

    code: CodeType
    line: int
    module: str

    def __str__(self) -> str:
        return f'File "{shown_as(self.code.co_filename, self.module)}", line {self.line}, in {self.code.co_name}'


def place_here() -> Place | None:
    """Return where the user's code is at work now; None: none of it has made this call."""
    return _first(sys._getframe(1))  # noqa: SLF001 - has no public name


def place_of_thread(ident: int) -> Place | None:
    """Return where the user's code is at work in a thread."""
    return _first(sys._current_frames().get(ident))  # noqa: SLF001 - as above


def _first(frame: FrameType | None) -> Place | None:
    while frame is not None and not _is_users(frame):
        frame = frame.f_back
    return None if frame is None else _place(frame, frame.f_lineno)


def places_of(error: BaseException) -> list[Place]:
    """Return the user's frames of an error, the innermost last."""
    found = traceback.walk_tb(error.__traceback__)
    return [_place(frame, line) for frame, line in found if _is_users(frame)]


def place_of_await(coroutine: Any) -> Place | None:
    """Return where a coroutine waits: the innermost line of the user's."""
    frames = [frame for frame in _frames(coroutine) if _is_users(frame)]
    return _place(frames[-1], frames[-1].f_lineno) if frames else None


def _is_users(frame: FrameType) -> bool:
    path = frame.f_code.co_filename
    return not path.startswith("<") and not is_library(frame.f_globals.get("__name__", ""), path)


def _frames(awaited: Any) -> Iterator[FrameType]:
    while awaited is not None:
        for kind in ("cr", "gi", "ag"):
            if (frame := getattr(awaited, f"{kind}_frame", None)) is not None:
                yield frame
                awaited = getattr(awaited, "gi_yieldfrom" if kind == "gi" else f"{kind}_await")
                break
        else:  # a step of an asynchronous generator does not say whose it is
            awaited = next((one for one in gc.get_referents(awaited) if isinstance(one, AsyncGeneratorType)), None)


def _place(frame: FrameType, line: int) -> Place:
    return Place(frame.f_code, line, frame.f_globals.get("__name__", ""))
