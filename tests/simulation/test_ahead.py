"""What is done while other tests run, and no longer than they."""

from threading import Event

import pytest

from tests.simulation.ahead import Ahead, Stopped


def test_its_result_is_waited_for() -> None:
    """Meanwhile, whoever began it does something else."""
    may_end = Event()

    def work(_stopped: Stopped) -> bool:
        return may_end.wait()

    ahead = Ahead(work)
    may_end.set()
    assert ahead.result()[0]


def test_what_is_stopped_ends_with_what_it_has() -> None:
    """It is asked now and then."""
    began = Event()

    def until_stopped(stopped: Stopped) -> int:
        rounds = 0
        while not stopped():
            began.set()
            rounds += 1
        return rounds

    ahead = Ahead(until_stopped)
    began.wait()
    ahead.stop()
    assert ahead.result()[0] > 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_failed_has_no_result() -> None:
    """Its thread says why."""

    def broken(_stopped: Stopped) -> None:
        raise ValueError("broken")

    with pytest.raises(RuntimeError, match="was not"):
        Ahead(broken).result()
