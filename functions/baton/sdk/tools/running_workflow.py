"""The workflow whose code is at work here: in it a call of a tool, an agent or another workflow is a step.

Invariant: the context variable is set in a run's own contexts alone, so code outside of one never sees it. Must not:
know how a run is driven.
"""

import inspect
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, Protocol


class RunningWorkflow(Protocol):
    """A run of a workflow's code."""

    def call(
        self, tool: str, arguments: dict[str, Any], read: Callable[[Any], Any] | None = None
    ) -> Coroutine[Any, Any, Any]:
        """Return the call of a step, which begins when it is awaited. `read`: makes its value of the recorded JSON."""
        ...


RUNNING: ContextVar[RunningWorkflow | None] = ContextVar("baton_workflow", default=None)


def bound(name: str, function: Callable[..., Any], left_out: str | None, args: Any, kwargs: Any) -> dict[str, Any]:
    """Return a call's arguments by name. `left_out`: the parameter that Baton fills in.

    Raises TypeError: the function does not take them.
    """
    try:
        return dict(_signature(function, left_out).bind(*args, **kwargs).arguments)
    except TypeError as error:
        raise TypeError(f"{name}(): {error}") from None


@lru_cache(1024)
def _signature(function: Callable[..., Any], left_out: str | None) -> inspect.Signature:
    signature = inspect.signature(function)
    return signature.replace(parameters=[one for name, one in signature.parameters.items() if name != left_out])
