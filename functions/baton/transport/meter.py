"""What an invocation spends: every call of the queue or the store is charged to the meter of its task.

Invariant: what is charged is taken once, by the COMMIT (or command) that keeps it with its job, or at the invocation's
end as overhead, which is nobody's. Where no meter runs (a program that only emits), nothing is kept. Must not: ask
anything of its own, or change what becomes of what it counts.
"""

from contextvars import ContextVar, Token

from msgspec.structs import replace

from baton.clock import Clock
from baton.engine.commit.usage_ledger import NOTHING, Spent


class Meter:
    """What one invocation has spent that is kept nowhere yet. `memory_mb`: of its function."""

    def __init__(self, clock: Clock, memory_mb: int) -> None:
        self._clock = clock
        self._memory_mb = memory_mb
        self._counts = [0] * 5
        self._shared = self.written_bytes = 0
        self._function_ms = self._mb_ms = 0
        self._counted_ms = clock.now_ms()

    def charge(self, messages: int, requests: int, commands: int, deliveries: int, size_bytes: int) -> None:
        """Add what was just used."""
        counts = self._counts
        counts[0] += messages
        counts[1] += requests
        counts[2] += commands
        counts[3] += deliveries
        counts[4] += size_bytes

    def write(self, size_bytes: int) -> None:
        """So much was stored of a job."""
        self.written_bytes += size_bytes

    def share(self) -> None:
        """A request travelled with another one."""
        self._shared += 1

    def rest(self) -> Spent:
        """What nobody has taken, and how many requests were shared in all."""
        return replace(self.take(), shared=self._shared, written=0)

    def take(self) -> Spent:
        """All that was used since it was taken last, time included: it is the caller's to keep."""
        now_ms = self._clock.now_ms()
        lasted_ms = max(0, now_ms - self._counted_ms)
        function_ms, mb_ms = self._function_ms + lasted_ms, self._mb_ms + lasted_ms * self._memory_mb
        messages, requests, commands, deliveries, size_bytes = self._counts
        written_bytes, self.written_bytes = self.written_bytes, 0
        taken = Spent(messages, requests, commands, deliveries, size_bytes, function_ms, mb_ms, written=written_bytes)
        self._counts, self._function_ms, self._mb_ms, self._counted_ms = [0] * 5, 0, 0, now_ms
        return taken

    def refund(self, spent: Spent) -> None:
        """What was taken is not kept after all: the next one takes it."""
        self.charge(spent.messages, spent.requests, spent.commands, spent.deliveries, spent.size_bytes)
        self._function_ms += spent.function_ms
        self._mb_ms += spent.mb_ms
        self.written_bytes += spent.written


_METER: ContextVar[Meter | None] = ContextVar("baton_meter", default=None)


class metered:  # noqa: N801 - a context manager, used as the functions below are
    """What is done within, and in tasks that it starts, is charged to this meter."""

    __slots__ = ("_before", "_meter")
    _before: Token[Meter | None]

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def __enter__(self) -> None:
        self._before = _METER.set(self._meter)

    def __exit__(self, *_: object) -> None:
        _METER.reset(self._before)


def is_metered() -> bool:
    """Whether what is done here is charged to somebody."""
    return _METER.get() is not None


def charge(
    *, messages: int = 0, requests: int = 0, commands: int = 0, deliveries: int = 0, size_bytes: int = 0
) -> None:
    """Something was used in this invocation."""
    meter = _METER.get()
    if meter is not None:
        meter.charge(messages, requests, commands, deliveries, size_bytes)


def write(size_bytes: int) -> None:
    """So much was stored of the job that this invocation is about: its next COMMIT keeps it in the usage ledger."""
    meter = _METER.get()
    if meter is not None:
        meter.write(size_bytes)


def written() -> int:
    """How many bytes were stored since the last COMMIT: the next one keeps them in the books."""
    meter = _METER.get()
    return 0 if meter is None else meter.written_bytes


def share() -> None:
    """A request of this invocation travelled with another one, of whomever."""
    meter = _METER.get()
    if meter is not None:
        meter.share()


def take() -> Spent:
    """What this invocation has used since the last call: the caller keeps it, or gives it back."""
    meter = _METER.get()
    return NOTHING if meter is None else meter.take()


def give_back(spent: Spent) -> None:
    """What was taken is not kept."""
    meter = _METER.get()
    if meter is not None:
        meter.refund(spent)
