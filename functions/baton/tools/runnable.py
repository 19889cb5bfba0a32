"""What runs a tool call: a tool or what an agent's runner makes of it, and the thread of a blocking function."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from baton.sdk.own_threads import in_own_thread
from baton.tools.context import ToolContext


class InThread(Protocol):
    """Runs a blocking function where it holds up nothing else."""

    def __call__(self, function: Callable[..., Any], /, *arguments: Any) -> Awaitable[Any]:
        """The function's result, or what it raised."""
        ...


class Runnable(Protocol):
    """What a call runs: a tool, or what an agent's runner makes of the call."""

    @property
    def name(self) -> str:
        """What is called."""
        ...

    @property
    def timeout_seconds(self) -> float:
        """For how long one attempt may run."""
        ...

    @property
    def background(self) -> bool | None:
        """Whether its calls go on in the background; None: in chats, where they wait."""
        ...

    async def run(self, arguments: Mapping[str, Any], context: ToolContext, in_thread: InThread = in_own_thread) -> Any:
        """Run one attempt; a blocking function runs `in_thread`."""
        ...
