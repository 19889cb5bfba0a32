"""Invocations are metered; what belongs to no job is told as overhead, once a minute."""

import pytest

from baton.engine.commit.usage_ledger import Spent
from baton.runtime.metering import Metering
from baton.transport.meter import charge, take
from tests.fakes import FakeCounters, FakeStore
from tests.fakes.clock import FakeClock


class Measured:
    def __init__(self) -> None:
        self.clock, self.counters = FakeClock(), FakeCounters(FakeStore())
        self.metering = Metering(self.clock, self.counters, memory_mb=512)

    async def spend(self, requests: int, *, kept: int = 0) -> None:
        async with self.metering.invocation():
            charge(requests=kept)
            take()
            charge(requests=requests)


async def test_what_no_job_keeps_is_overhead_and_reported_after_a_minute() -> None:
    """By the next invocation: no request is made for it before. It is told once."""
    measured = Measured()
    await measured.spend(2, kept=5)
    measured.clock.ms += 59_999
    await measured.spend(1)
    assert await measured.counters.sums() == {}
    measured.clock.ms += 1
    await measured.spend(4)
    assert await measured.counters.sums() == {"overhead:requests": 7}
    await measured.metering.flush()
    assert await measured.counters.sums() == {"overhead:requests": 7}


async def test_an_invocation_that_fails_is_metered_too() -> None:
    measured = Measured()

    async def fail() -> None:
        async with measured.metering.invocation():
            charge(requests=3)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    await measured.metering.flush()
    assert await measured.counters.sums() == {"overhead:requests": 3}


async def test_within_another_invocation_there_is_one_meter() -> None:
    measured = Measured()
    async with measured.metering.invocation():
        async with measured.metering.invocation():
            charge(requests=1)
        assert take() == Spent(requests=1)


@pytest.mark.parametrize(("events", "retried", "messages"), [(False, 0, 1), (False, 1, 0), (True, 0, 0)])
async def test_a_delivery_is_counted_each_time_and_a_message_once(events: bool, retried: int, messages: int) -> None:
    """The message of an event is its handler's to count: a fact has counted its own."""
    async with Measured().metering.delivery(retried, events=events):
        assert take() == Spent(messages=messages, deliveries=1)
