"""The line before the interpreter's processes: which script of this process runs now, and which one waits.

A place that is free goes to the tenant with the fewest scripts at work, of these to the one whose turn is longest ago.
A tenant that has a place leaves the last one to others, so another tenant's script begins at once beside any number of
them. Invariant: a script that waits has not begun; after a few seconds it is given back, and its event comes again.
Must not: end work, or count a wait as an attempt.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from baton.sdk.tools.running_calls import NotYetError
from baton.settings.settings import CLAIM_MARGIN_SECONDS

# After a longer wait the claim might end before the work, as of a call that waits for its limits.
_PATIENCE_SECONDS = CLAIM_MARGIN_SECONDS / 2
# Those of one tenant come again one after the other.
_SPREAD_MS, _LONGEST_MS = 1_000, 60_000
_TENANTS = 1_000
_WAITS_FOR = "line of scripts"
_T = TypeVar("_T")


class Line:
    """The line for so many `places`."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._at_work = Counter[str]()
        self._turns = dict[str, int]()  # the number of a tenant's last turn, the oldest first
        self._turn = 0
        self._waiting = list[tuple[str, asyncio.Future[None]]]()

    async def run(self, tenant: str, work: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        """Do the work once there is a place, which is taken until the work ends, also where its caller is cancelled.

        Raises NotYetError: there is none yet.
        """
        if not self._begins(tenant):
            await self._place(tenant)
        task = asyncio.ensure_future(work())
        task.add_done_callback(lambda _: self._leave(tenant))
        return await asyncio.shield(task)

    async def _place(self, tenant: str) -> None:
        begins = tenant, asyncio.get_running_loop().create_future()
        self._waiting.append(begins)
        try:
            await asyncio.wait([begins[1]], timeout=_PATIENCE_SECONDS)
        except asyncio.CancelledError:
            if begins[1].done():
                self._leave(tenant)
            raise
        finally:
            if not begins[1].done():
                self._waiting.remove(begins)
        if not begins[1].done():
            others = sum(one == tenant for one, _ in self._waiting)
            raise NotYetError(min(_LONGEST_MS, _SPREAD_MS * (1 + others)), _WAITS_FOR)

    def _begins(self, tenant: str) -> bool:
        if self._free <= (1 if self._at_work[tenant] else 0):
            return False
        self._free -= 1
        self._at_work[tenant] += 1
        self._turn += 1
        self._turns.pop(tenant, None)
        self._turns[tenant] = self._turn
        if len(self._turns) > _TENANTS:
            del self._turns[next(iter(self._turns))]
        return True

    def _leave(self, tenant: str) -> None:
        self._free += 1
        self._at_work[tenant] -= 1
        for begins in sorted(self._waiting, key=lambda one: (self._at_work[one[0]], self._turns.get(one[0], 0))):
            if self._begins(begins[0]):
                self._waiting.remove(begins)
                begins[1].set_result(None)
                break
        self._at_work += Counter()  # forget those who have nothing at work
