"""Work for an exchange that needs a coroutine, ended with the exchange's client or with the bridge.

Invariant: no task outlives its client's connection or the bridge, and a task that fails still answers (in JSON).
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from baton_local.redis.http_connection import Exchange

_log = logging.getLogger(__name__)


class Background:
    """Runs coroutines on behalf of exchanges."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self, exchange: Exchange, work: Coroutine[Any, Any, None]) -> None:
        """Start `work`; it is cancelled when the client goes away."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        exchange.on_gone = lambda: _cancel(task)
        task.add_done_callback(lambda finished: self._finished(exchange, finished))

    async def close(self) -> None:
        """End everything that still runs."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _finished(self, exchange: Exchange, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            if not exchange.answered:
                exchange.drop()
            return
        error = task.exception()
        if error is not None:
            _log.error("a request failed in the bridge", exc_info=error)
            exchange.respond(500, b'{"error":"ERR internal error of the bridge; see its log"}')


def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
