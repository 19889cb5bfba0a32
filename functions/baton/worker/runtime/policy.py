"""The policy of a function: the limit of one piece of work, its inline continuations, and its stop.

Steps of which a process has died before are worked on one at a time. So only the one to blame dies with the next
process, and each other step counts one death at most. They wait here while those before them are quick, and hold no
claim meanwhile; else they come again by the queue. A process that receives a stop signal finishes its deliveries
meanwhile; work that the server breaks off is given back. Invariant: handlers of the signal keep handling it. Must not:
stop anything itself.
"""

import asyncio
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from typing import Any

from msgspec import Struct, field

from baton.engine.work_items import WORK_KINDS, ItemKind, WorkItem
from baton.settings.settings import CLAIM_MARGIN_SECONDS

_READS, _POLL_SECONDS = 100, 0.03
SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopping:
    """The stop of a process. `begun`: it will end soon. `at_work`: how many steps it works on."""

    def __init__(self) -> None:
        self.begun = False
        self.at_work = 0

    async def work_is_given_back(self) -> None:
        """Wait for work that the server has broken off to be given back; for other work, not for long."""
        for _ in range(_READS):
            if not self.at_work:
                return
            await asyncio.sleep(_POLL_SECONDS)

    @contextmanager
    def noticing(self) -> Iterator[None]:
        """Notice signals for the time of the block, before the app's server acts on them.

        A server that takes signals in another way than by a handler in the main thread stops as before.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in SIGNALS}
        noticing = {number: self._before(handler) for number, handler in before.items() if callable(handler)}
        for number, handler in noticing.items():
            signal.signal(number, handler)
        try:
            yield
        finally:
            for number, handler in noticing.items():
                if signal.getsignal(number) is handler:
                    signal.signal(number, before[number])

    def _before(self, handler: Callable[..., Any]) -> Callable[..., Any]:
        def noticed(number: int, frame: Any) -> None:
            self.begun = True
            handler(number, frame)

        return noticed


# Work that waits to run alone comes again this long after the one before it: about a short piece of work. For as long
# it waits in the process for the one before it to end.
SPREAD_MS = 2_000
_AT_ONCE = nullcontext(0)


class Suspects:
    """The steps of one process that may have killed another one."""

    def __init__(self) -> None:
        self._at_work = False
        self._in_line = self._ended = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    def turn_of(self, item: WorkItem) -> AbstractContextManager[int]:
        """Yield 0 where the step may be worked on in the block; else the delay in ms after which it must come again.

        Steps that wait come one after the other.
        """
        return self._turn() if item.deaths and item.kind in WORK_KINDS else _AT_ONCE

    @contextmanager
    def _turn(self) -> Iterator[int]:
        if self._at_work:
            self._in_line += 1
            yield SPREAD_MS * self._in_line
            return
        self._at_work, self._in_line = True, 0
        try:
            yield 0
        finally:
            self._at_work = False
            self._ended += 1
            if self._waiting:
                self._waiting.popleft().set_result(None)

    async def turn_comes(self, seconds: float) -> bool:
        """Wait in line, while a step ends every `SPREAD_MS` and for `seconds` at most; return whether one may begin."""
        loop, turn = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()
        give_up_at = loop.time() + seconds
        self._waiting.append(turn)
        try:
            while loop.time() < give_up_at:
                ended = self._ended
                await asyncio.wait([turn], timeout=SPREAD_MS / 1000)
                if turn.done() or not self._at_work:
                    return True
                if self._ended == ended:
                    return False
            return False
        finally:
            if not turn.done():
                self._waiting.remove(turn)
                turn.cancel()


# A claim's lease, and the steps in which it is prolonged while its work lives. After a crash the queue delivers again
# (after 10 s) when it is over, or nearly so; a stall or a lost prolongation of a few seconds costs nothing.
LEASE_MS = 12_000
RENEW_SECONDS = 4.5
# All claims of a process that come due within this time are prolonged together, up to this much late. Other work of the
# process waits for the claims that come due at once: of 2,000 calls at work these are some 55 (docs/benchmarks.md).
TOGETHER_SECONDS = 0.125
# The pause after a prolongation that the store has failed.
AGAIN_SECONDS = 1.0
# A claim is prolonged for this much longer than its work may take: a COMMIT may be late.
LEASE_MARGIN_MS = CLAIM_MARGIN_SECONDS * 1000
# How long giving back broken-off work waits for the store.
GIVE_BACK_SECONDS = 2.0
# The pauses before a failed COMMIT is repeated: together less than the margin, so that it still finds its claim.
PAUSES_SECONDS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
# The same for a CLAIM: where only its answer was lost, no other owner gets the work item before the lease is over.
BEGIN_PAUSES_SECONDS = PAUSES_SECONDS[:4]
# The waits of a model's answer that is faster than the COMMIT of its turn's wait, or comes twice at once.
ANSWER_PAUSES_SECONDS = (0.1, 0.4, 1.5)
# Several calls of a turn run at once in one invocation; further ones are published, so that others take part.
AT_ONCE = 16


class Policy(Struct, frozen=True, dict=True):
    """The policy of one function.

    `work_limits_ms`: the limit of one piece of work, by the kind of work item that is work; no other kind is.
    `inline`: whether it continues inline, or publishes what follows. `takes_in`: whether a tool's result is taken in
    with its run, or by an event of its own. `continues`: kinds of work items that it can continue with. `guard_ms`:
    for how long an invocation begins another piece of work. `at_once`: how many work items an invocation works on at
    the same time. `stopping`: once its process is about to stop, nothing more is begun inline. `suspects`: those of
    the process, which works on them one at a time. `patience_seconds`: how long a step waits for a deploy whose code
    fits it.
    """

    work_limits_ms: Mapping[ItemKind, int]
    inline: bool = False
    takes_in: bool = True
    continues: frozenset[ItemKind] = frozenset()
    guard_ms: int = 120_000
    at_once: int = AT_ONCE
    stopping: Stopping = field(default_factory=Stopping)
    suspects: Suspects = field(default_factory=Suspects)
    patience_seconds: int = 86_400

    def longest_ms(self, kind: ItemKind) -> int:
        """Return how long the claim of such an item is prolonged: its work's limit, and a margin for a late COMMIT."""
        return self.work_limits_ms.get(kind, 0) + LEASE_MARGIN_MS

    def leases_ms(self, *, via_admission: bool) -> Mapping[ItemKind, int]:
        """Return the kinds of work items to continue with, and how long each is claimed at first.

        Items to or from the admission (`via_admission`) continue inline in both modes: they need no hop.
        """
        return self._leases_ms[self.inline or via_admission]

    @cached_property
    def _leases_ms(self) -> Mapping[bool, Mapping[ItemKind, int]]:
        slot_requests = frozenset({ItemKind.SLOT_REQUEST})
        of = {False: slot_requests, True: slot_requests | self.continues}
        return {far: dict.fromkeys(sorted(kinds), LEASE_MS) for far, kinds in of.items()}
