"""A process that is told to stop says so, and stops as it would have."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from baton.worker.runtime.policy import Stopping


@pytest.fixture
def received() -> Iterator[list[int]]:
    """What the server hears, which handles signals before anybody notices them."""
    numbers: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: numbers.append(number))
    yield numbers
    signal.signal(signal.SIGTERM, before)


def test_a_signal_is_noticed_and_goes_on_to_the_server(received: list[int]) -> None:
    stopping, handler = Stopping(), signal.getsignal(signal.SIGTERM)
    with stopping.noticing():
        assert not stopping.begun
        signal.raise_signal(signal.SIGTERM)
        assert stopping.begun
        assert received == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) is handler


def test_a_handler_that_somebody_sets_meanwhile_stays(received: list[int]) -> None:
    with Stopping().noticing():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN


def test_in_another_thread_nothing_is_noticed(received: list[int]) -> None:
    stopping, handler = Stopping(), signal.getsignal(signal.SIGTERM)

    def serve() -> None:
        with stopping.noticing():
            assert signal.getsignal(signal.SIGTERM) is handler

    with ThreadPoolExecutor(1) as pool:
        pool.submit(serve).result()
