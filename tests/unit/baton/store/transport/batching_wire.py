"""Requests that a test answers by hand, and askers whose asks share them."""

import asyncio
from collections.abc import Sequence

from baton.store.transport.batching import Batcher, Bounds

BOUNDS = Bounds(requests=2, entries=4, size_bytes=100, seconds=30)


class Wire:
    """Takes requests, and answers each when it is told to: an ask in upper case."""

    def __init__(self) -> None:
        self.requests: list[list[str]] = []
        self.given_up: list[list[str]] = []
        self.most_at_once = 0
        self._under_way: dict[int, asyncio.Future[Sequence[str | Exception]]] = {}

    async def send(self, requests: list[str]) -> Sequence[str | Exception]:
        number = len(self.requests)
        self.requests.append(requests)
        self._under_way[number] = asyncio.get_running_loop().create_future()
        self.most_at_once = max(self.most_at_once, len(self._under_way))
        try:
            return await self._under_way[number]
        except asyncio.CancelledError:
            self.given_up.append(requests)
            raise
        finally:
            del self._under_way[number]

    def answer(self, number: int, answers: Sequence[str | Exception] | Exception | None = None) -> None:
        if isinstance(answers, Exception):
            self._under_way[number].set_exception(answers)
        else:
            self._under_way[number].set_result(
                [ask.upper() for ask in self.requests[number]] if answers is None else answers
            )


async def settled() -> None:
    """Everything that can go on without an answer has."""
    for _ in range(10):
        await asyncio.sleep(0)


def requesting(batcher: Batcher[str, str], *requests: str) -> list[asyncio.Task[str]]:
    return [asyncio.ensure_future(batcher.send(ask, 1, 1)) for ask in requests]
