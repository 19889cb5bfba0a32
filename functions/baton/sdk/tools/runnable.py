"""The parts of a tool run: a tool or a runner's version of it, and the thread of a blocking function."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from baton.sdk.records.own_threads import in_own_thread
from baton.sdk.tools.context import ToolContext


class InThread(Protocol):
    """Runs a blocking function without delaying other work."""

    def __call__(self, function: Callable[..., Any], /, *arguments: Any) -> Awaitable[Any]:
        """Return the function's result, or raise its exception."""
        ...


def call_in_thread(function: Callable[..., Any], keywords: Mapping[str, Any]) -> Any:
    """Run a function that is not async; `StopIteration` cannot cross a future, so it would never be reported."""
    try:
        return function(**keywords)
    except StopIteration as error:
        raise RuntimeError(f"{error!r} left the tool: next() found nothing; give next() a default") from error


class Runnable(Protocol):
    """A call's code: a tool, or a runner's version of the call."""

    @property
    def name(self) -> str:
        """The tool's name."""
        ...

    @property
    def timeout_seconds(self) -> float:
        """The limit of one attempt, in seconds."""
        ...

    @property
    def background(self) -> bool | None:
        """Whether its calls run in the background; None: in chats, if they wait."""
        ...

    async def run(self, arguments: Mapping[str, Any], context: ToolContext, in_thread: InThread = in_own_thread) -> Any:
        """Run one attempt; a blocking function runs `in_thread`."""
        ...
