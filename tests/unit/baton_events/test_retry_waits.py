"""How long the queue is asked to wait: what it is told, and what it then does."""

from hypothesis import given
from hypothesis import strategies as st

from baton_events.messages import CALLBACK_WAITS, SPREAD, RetryWaits
from baton_local.qstash.core.retry_delay import check_retry_delay, retry_delay_ms

WAITS = st.builds(RetryWaits, st.integers(0, 86_400_000), st.integers(1, 10), st.integers(1, 86_400_000))


@given(WAITS, st.integers(0, 20))
def test_the_queue_waits_as_long_as_we_say(waits: RetryWaits, retried: int) -> None:
    assert retry_delay_ms(check_retry_delay(waits.expression, "here"), retried) == waits.wait_ms(retried)


def test_each_wait_is_longer_than_the_one_before() -> None:
    assert [RetryWaits(10_000).wait_ms(retried) for retried in range(8)] == [
        *(10_000, 20_000, 40_000, 80_000, 160_000, 320_000),
        *(600_000, 600_000),
    ]
    assert [CALLBACK_WAITS.wait_ms(retried) for retried in range(4)] == [10_000, 60_000, 360_000, 360_000]


def test_messages_that_are_refused_together_do_not_come_again_together() -> None:
    firsts = [RetryWaits(10_000).spread(f"evt_{n}").wait_ms(0) for n in range(1000)]
    assert firsts == [RetryWaits(10_000).spread(f"evt_{n}").wait_ms(0) for n in range(1000)]
    assert 10_000 * (1 - SPREAD) <= min(firsts) < 8_000
    assert 12_000 < max(firsts) <= 10_000 * (1 + SPREAD)
    assert max(firsts.count(first) for first in firsts) < 20


def test_a_first_wait_above_the_longest_one_stays() -> None:
    assert RetryWaits(3_600_000).spread("evt").wait_ms(0) > 2_600_000
