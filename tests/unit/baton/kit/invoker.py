"""A thread that invokes handlers as the Lambda runtime does.

Invariant: the loop that a handler makes belongs to that thread, and is closed with it.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self


class Invoker:
    """One thread, as the runtime has one."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1)

    def __enter__(self) -> Self:
        return self

    def invoke(self, handler: Callable[[Any, Any], Any], event: dict[str, Any]) -> Any:
        return self._thread.submit(handler, event, None).result(30)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the loop, then the thread."""
        self._thread.submit(_close_loop).result(30)
        self._thread.shutdown()


def _close_loop() -> None:
    policy = asyncio.get_event_loop_policy()
    try:
        loop = policy.get_event_loop()
    except RuntimeError:
        return  # no handler made one
    loop.close()
    asyncio.set_event_loop(None)
