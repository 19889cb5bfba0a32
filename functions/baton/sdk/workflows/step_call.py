"""A step in a run: its call, a coroutine as in ordinary Python, and what waits for its outcome.

Invariant: a call begins when it is awaited or made a task, and never twice. What waits for a step that the code has
cancelled says so to the run at once.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from functools import cached_property
from typing import Any, Protocol

from baton.sdk.workflows.places import Place, place_here
from baton.sdk.workflows.stretch_loop import StepTimer, StretchFuture, StretchLoop
from baton_events.ids import canonical_json, digest

_DIGEST_CHARS = 16


class Step:
    """A step that the code has asked for.

    Attributes:
        number: in its run, from 1.
        arguments: as JSON data.
        read: makes its value of the recorded JSON; None: it is that.
        place: where the code calls it.
        waiter: what waits for its outcome.
    """

    def __init__(self, number: int, tool: str, arguments: dict[str, Any], place: Place | None) -> None:
        self.number, self.tool, self.arguments, self.place = number, tool, arguments, place
        self.read: Callable[[Any], Any] | None = None
        self.waiter: StepFuture | StepTimer

    @cached_property
    def digest(self) -> str:
        return digest(canonical_json([self.tool, self.arguments]))[:_DIGEST_CHARS]


class StepFuture(StretchFuture):
    """Waits for a step's outcome."""

    def __init__(self, step: Step, *, loop: StretchLoop) -> None:
        super().__init__(loop=loop)
        self._step = step

    def cancel(self, msg: Any | None = None) -> bool:
        """Cancel it: nothing waits for the step any more."""
        is_new = super().cancel(msg)
        if is_new:
            self.get_loop().give_up(self._step.number)
        return is_new

    def get_loop(self) -> StretchLoop:
        loop: Any = super().get_loop()
        return loop  # type: ignore[no-any-return]


class Beginning(Protocol):
    """A run, as its calls see it."""

    def begun(self, call: "StepCall") -> asyncio.Future[Any]:
        """Begin the step."""
        ...

    def never_awaited(self, call: "StepCall") -> None:
        """Note a call that never begins."""
        ...


class StepCall(Coroutine[Any, Any, Any]):
    """A call of a step.

    Attributes:
        arguments: as the code gives them.
    """

    _outcome: Any = None
    _begun = False

    def __init__(
        self, run: Beginning, number: int, tool: str, arguments: dict[str, Any], read: Callable[[Any], Any] | None
    ) -> None:
        self._run, self._number = run, number
        self.tool, self.arguments, self.read = tool, arguments, read
        self.place = place_here()

    def __hash__(self) -> int:
        """Hash by its number among the objects of its loop, which is the same each time."""
        return self._number

    def __await__(self) -> Generator[Any, Any, Any]:
        """Begin the step, and wait for its outcome."""
        if self._begun:
            raise RuntimeError("cannot reuse already awaited coroutine")
        self._begun = True
        return self._run.begun(self).__await__()

    def send(self, value: Any) -> Any:
        """Begin it, or go on, as a task does."""
        if self._outcome is None:
            self._outcome = self.__await__()
        return self._outcome.send(value)

    def throw(self, *error: Any) -> Any:
        """Raise this where it waits."""
        if self._outcome is None:
            self._begun = True
            raise next(filter(None, reversed(error[:2])))
        return self._outcome.throw(*error)

    def close(self) -> None:
        """End it; one that has not begun never does."""
        self._begun = True
        if self._outcome is not None:
            self._outcome.close()

    def __del__(self) -> None:
        """Say that nobody has awaited it."""
        if not self._begun:
            self._run.never_awaited(self)
