"""Connections to a server by its name: all its addresses are tried in parallel, as RFC 8305 describes.

Invariants: an address that does not answer delays the next one by a quarter of a second only. An address that failed is
tried last for a minute. Connections that lost the race are closed. Must not: set a time limit, or send a request.
"""

import asyncio
import socket
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from functools import partial
from ipaddress import ip_address
from itertools import zip_longest
from typing import Any, TypeVar

T = TypeVar("T")

_HEAD_START_SECONDS = 0.25  # the "Connection Attempt Delay" that RFC 8305 recommends
_REMEMBERED_SECONDS = 60.0

Attempt = Callable[[], Coroutine[Any, Any, T]]


async def first_of(attempts: Sequence[Attempt[T]], discard: Callable[[T], None]) -> tuple[int, T]:
    """Return the number and the result of the first attempt that succeeds; each gives its successors a head start.

    `discard`: closes the result of an attempt that came too late.

    Raises Exception: all failed; it is the first one's.
    """
    tasks: list[asyncio.Task[T]] = []
    won: asyncio.Task[T] | None = None
    try:
        while True:
            if len(tasks) < len(attempts):
                tasks.append(asyncio.create_task(attempts[len(tasks)]()))
            more = len(tasks) < len(attempts)
            if running := [task for task in tasks if not task.done()]:
                await asyncio.wait(
                    running, timeout=_HEAD_START_SECONDS if more else None, return_when=asyncio.FIRST_COMPLETED
                )
            won = next((task for task in tasks if task.done() and not _failed(task)), None)
            if won is not None:
                return tasks.index(won), won.result()
            if not more and all(task.done() for task in tasks):
                return 0, tasks[0].result()  # raises
    finally:
        for task in tasks:
            if task is not won:
                task.cancel()
                task.add_done_callback(partial(_end, discard))


def _failed(task: "asyncio.Task[T]") -> bool:
    return task.cancelled() or task.exception() is not None


def _end(discard: Callable[[T], None], task: "asyncio.Task[T]") -> None:
    if not _failed(task):
        discard(task.result())


class Dialer:
    """Opens connections, and remembers which addresses failed; it belongs to one event loop."""

    def __init__(self) -> None:
        self._failed: dict[tuple[str, int], float] = {}

    async def dial(
        self, host: str, port: int, connect: Callable[[str], Coroutine[Any, Any, T]], discard: Callable[[T], None]
    ) -> T:
        """Return the first connection to one of the host's addresses; `connect` makes one to an address.

        Raises OSError: the name has no address. Else what `connect` raises for the first address.
        """
        addresses = await self._addresses(host, port)
        tried: list[str] = []

        async def attempt(address: str) -> T:
            tried.append(address)
            return await connect(address)

        try:
            number, made = await first_of([partial(attempt, address) for address in addresses], discard)
        except BaseException:
            for address in tried:
                self.blame(address, port)
            raise
        for address in tried:
            if address != addresses[number]:
                self.blame(address, port)
        return made

    def blame(self, address: str, port: int) -> None:
        """Try this address last from now on: it did not answer."""
        self._failed[address, port] = asyncio.get_running_loop().time()

    async def _addresses(self, host: str, port: int) -> list[str]:
        """Return the addresses in the order in which to try them: families take turns, failed ones come last."""
        with suppress(ValueError):
            return [str(ip_address(host))]
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        families: dict[int, list[str]] = {}
        for family, _, _, _, place in found:
            families.setdefault(family, []).append(str(place[0]))
        turns = (address for turn in zip_longest(*families.values()) for address in turn if address is not None)
        since = loop.time() - _REMEMBERED_SECONDS
        self._failed = {place: at for place, at in self._failed.items() if at > since}
        return sorted(dict.fromkeys(turns), key=lambda address: self._failed.get((address, port), 0.0))
