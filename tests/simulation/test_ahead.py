"""What is done while other tests run: one thing after the other, and no longer than they."""

from threading import Event

import pytest

from tests.simulation.ahead import Ahead, Stopped


def test_what_comes_after_another_begins_when_that_is_over() -> None:
    """Each has its own result."""
    done, may_end = list[str](), Event()

    def first(_stopped: Stopped) -> str:
        may_end.wait()
        done.append("first")
        return "one"

    ahead = Ahead(first)
    then = Ahead(lambda _stopped: list(done), after=ahead)
    may_end.set()
    assert ahead.result()[0] == "one"
    assert then.result()[0] == ["first"]


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
