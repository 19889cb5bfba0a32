"""Blocking work in threads of its own: one for each piece of concurrent work, ending with it.

Invariant: nothing waits in line for a thread, and nothing waits for a thread that hangs: neither other work nor the end
of the process. Must not: limit how long work takes; the caller stops waiting for it.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from threading import Thread
from typing import Any, ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


class OwnThreads(ThreadPoolExecutor):
    """An executor without a pool. It is a ThreadPoolExecutor because a loop accepts no other as its default."""

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Start the work. Raises RuntimeError: the process can start no further thread."""
        future = Future[_T]()

        def work() -> None:
            future.set_running_or_notify_cancel()
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - it is for the caller that awaits the work
                future.set_exception(error)
            else:
                future.set_result(result)

        Thread(target=work, name="baton-work", daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - inherited
        """Return without waiting: running work ends with the process."""
        del wait, cancel_futures


OWN_THREADS = OwnThreads()


async def in_own_thread(function: Callable[..., Any], /, *arguments: Any) -> Any:
    """Run a blocking function with the context variables of its caller, and return its result.

    A cancelled caller stops waiting; the function continues. Raises BaseException: the function's own exception.
    """
    work: Callable[[], Any] = partial(copy_context().run, function, *arguments)
    return await asyncio.get_running_loop().run_in_executor(OWN_THREADS, work)
