"""A process that is killed in the middle of its work: nothing of it reaches the store any more."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from baton.engine.commit.answers import Claim
from baton.queue.dispatch import Outcome
from tests.fakes.stored import FakeStore


class MortalStore(FakeStore):
    """A store to which a process is connected that may die."""

    def __init__(self) -> None:
        super().__init__()
        self.is_cut_off = False

    async def give_back(self, claim: Claim, now_ms: int, *, begun: bool) -> bool:
        """Give back, unless the process that would do so is dead."""
        return not self.is_cut_off and await super().give_back(claim, now_ms, begun=begun)


async def killed(store: MortalStore, at_work: asyncio.Event, delivery: Coroutine[Any, Any, Outcome]) -> bool:
    process, kill = asyncio.create_task(delivery), asyncio.create_task(at_work.wait())
    await asyncio.wait({process, kill}, return_when=asyncio.FIRST_COMPLETED)
    dies = not process.done()
    if dies:
        store.is_cut_off = True
        process.cancel()
    kill.cancel()
    await asyncio.wait({process, kill})
    store.is_cut_off = False
    at_work.clear()
    if not dies:
        process.result()
    return dies
