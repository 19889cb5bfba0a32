"""Each invocation has a meter; usage that no job's usage ledger has taken by its end is overhead, kept as counters.

Invariant: usage is in a job's usage ledger or in the overhead, never in both. Overhead is reported to the counters once
a minute at most, by an invocation that is there anyway: a process that ends earlier loses its unreported overhead. Must
not: fail what it counts.
"""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

from msgspec.structs import asdict

from baton.engine.commit.usage_ledger import Metered
from baton.sdk.clock import Clock
from baton.store.redis.totals import Counters, count
from baton.store.transport.meter import Meter, charge, current, metered

OVERHEAD = "overhead"
_PART = nullcontext[None]()
_FLUSH_EVERY_MS = 60_000


class Metering:
    """The meters of one process. `memory_mb`: of its function."""

    def __init__(self, clock: Clock, counters: Counters, memory_mb: int) -> None:
        self._clock, self._counters, self._memory_mb = clock, counters, memory_mb
        self._overhead: Counter[str] = Counter()
        self._flushed_ms: int | None = None

    def invocation(self) -> AbstractAsyncContextManager[None]:
        """Return a block whose usage is metered; within a metered one it is a part of that."""
        return _PART if current() else self._metered()

    @asynccontextmanager
    async def _metered(self) -> AsyncIterator[None]:
        meter = Meter(self._clock, self._memory_mb)
        with metered(meter):
            try:
                yield
            finally:
                self._keep(meter.rest())
        now_ms = self._clock.now_ms()
        if self._flushed_ms is None:
            self._flushed_ms = now_ms
        elif now_ms - self._flushed_ms >= _FLUSH_EVERY_MS:
            await self.flush()

    @asynccontextmanager
    async def delivery(self, retried: int, *, events: bool) -> AsyncIterator[None]:
        """Meter a delivery of a message. `events`: its handler counts the message itself."""
        async with self.invocation():
            charge(messages=int(not events and retried == 0), deliveries=1)
            yield

    async def flush(self) -> None:
        """Add the overhead so far to the counters; the cost of that is overhead of the next minute."""
        overhead, self._overhead, self._flushed_ms = self._overhead, Counter(), self._clock.now_ms()
        meter = Meter(self._clock, self._memory_mb)
        with metered(meter):
            await count(self._counters, {f"{OVERHEAD}:{name}": much for name, much in overhead.items() if much})
        self._keep(meter.rest())

    def _keep(self, spent: Metered) -> None:
        self._overhead.update(asdict(spent))
