"""The usage of an invocation: every call of the queue or the store is charged to the meter of its task.

Invariant: a charge is taken once, by the COMMIT (or command) that keeps it with its job, or at the invocation's end as
overhead, which belongs to no job. Without a meter (a program that only emits), nothing is kept. Must not: send any
request of its own, or affect what it counts.
"""

from contextvars import ContextVar, Token

from msgspec.structs import replace

from baton.engine.commit.usage_ledger import NOTHING, Metered
from baton.sdk.clock import Clock


class Meter:
    """The usage of one invocation that is not stored yet. `memory_mb`: of its function."""

    def __init__(self, clock: Clock, memory_mb: int) -> None:
        self._clock, self._memory_mb = clock, memory_mb
        self._counts = [0] * 5
        self.shared = self.written_bytes = 0
        self._function_ms = self._mb_ms = 0
        self._counted_ms = clock.now_ms()

    def charge(self, messages: int, requests: int, commands: int, deliveries: int, size_bytes: int) -> None:
        counts = self._counts
        counts[0] += messages
        counts[1] += requests
        counts[2] += commands
        counts[3] += deliveries
        counts[4] += size_bytes

    def rest(self) -> Metered:
        """Take the usage that no COMMIT has taken, and the number of shared requests in all."""
        return replace(self.take(), shared=self.shared, written=0)

    def take(self) -> Metered:
        """Take all usage since the last call, time included; the caller stores it."""
        now_ms = self._clock.now_ms()
        lasted_ms = max(0, now_ms - self._counted_ms)
        function_ms, mb_ms = self._function_ms + lasted_ms, self._mb_ms + lasted_ms * self._memory_mb
        messages, requests, commands, deliveries, size_bytes = self._counts
        written_bytes, self.written_bytes = self.written_bytes, 0
        taken = Metered(messages, requests, commands, deliveries, size_bytes, function_ms, mb_ms, written=written_bytes)
        self._counts, self._function_ms, self._mb_ms, self._counted_ms = [0] * 5, 0, 0, now_ms
        return taken

    def refund(self, spent: Metered) -> None:
        """Add usage back that was taken but not stored: the next call of `take` returns it."""
        self.charge(spent.messages, spent.requests, spent.commands, spent.deliveries, spent.size_bytes)
        self._function_ms += spent.function_ms
        self._mb_ms += spent.mb_ms
        self.written_bytes += spent.written


_METER: ContextVar[Meter | None] = ContextVar("baton_meter", default=None)


class metered:  # noqa: N801 - a context manager, used as the functions below are
    """Charges everything done within it, and in tasks started there, to this meter."""

    __slots__ = ("_before", "_meter")
    _before: Token[Meter | None]

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def __enter__(self) -> None:
        self._before = _METER.set(self._meter)

    def __exit__(self, *_: object) -> None:
        _METER.reset(self._before)


def current() -> Meter | None:
    """Return the meter that runs here, if one does."""
    return _METER.get()


def charge(
    *, messages: int = 0, requests: int = 0, commands: int = 0, deliveries: int = 0, size_bytes: int = 0
) -> None:
    meter = _METER.get()
    if meter is not None:
        meter.charge(messages, requests, commands, deliveries, size_bytes)


def write(size_bytes: int) -> None:
    """Add bytes stored of this invocation's job: its next COMMIT keeps them in the usage ledger."""
    meter = _METER.get()
    if meter is not None:
        meter.written_bytes += size_bytes


def written() -> int:
    """Return the bytes stored since the last COMMIT: the next one keeps them in the usage ledger."""
    meter = _METER.get()
    return 0 if meter is None else meter.written_bytes


def share() -> None:
    """Count a request of this invocation that was shared with any other one."""
    meter = _METER.get()
    if meter is not None:
        meter.shared += 1


def take() -> Metered:
    """Take this invocation's usage since the last call: the caller stores it, or gives it back."""
    meter = _METER.get()
    return NOTHING if meter is None else meter.take()


def give_back(spent: Metered) -> None:
    """Add usage back that was taken but not stored."""
    meter = _METER.get()
    if meter is not None:
        meter.refund(spent)
