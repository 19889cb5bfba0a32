"""How often one source may fail."""

from baton.runtime.webhook import SourceBudget
from tests.fakes.clock import FakeClock


def test_a_source_that_never_fails_is_never_refused() -> None:
    budget = SourceBudget(FakeClock(), 3)
    assert [budget.wait_seconds("a") for _ in range(100)] == [0] * 100


def test_a_spent_budget_fills_evenly() -> None:
    """Three a minute: after the third failure, the next one may come 20 s later, whatever others do."""
    clock = FakeClock()
    budget = SourceBudget(clock, 3)
    for _ in range(3):
        assert budget.wait_seconds("a") == 0
        budget.spend("a")
    assert budget.wait_seconds("a") == 20
    assert budget.wait_seconds("b") == 0
    clock.ms += 15_000
    assert budget.wait_seconds("a") == 5
    clock.ms += 5_000
    assert budget.wait_seconds("a") == 0


def test_failures_beyond_the_budget_do_not_add_up() -> None:
    """Nobody is locked out for long by what they did before."""
    budget = SourceBudget(FakeClock(), 3)
    for _ in range(1000):
        budget.spend("a")
    assert budget.wait_seconds("a") == 20


def test_a_clock_that_goes_back_refuses_nobody_for_longer() -> None:
    clock = FakeClock()
    budget = SourceBudget(clock, 3)
    budget.spend("a")
    clock.ms -= 3_600_000
    budget.spend("a")
    assert budget.wait_seconds("a") == 0


def test_sources_are_forgotten_the_longest_unseen_first() -> None:
    budget = SourceBudget(FakeClock(), 1)
    for number in range(10_001):
        budget.spend(str(number))
    assert budget.wait_seconds("0") == 0
    assert budget.wait_seconds("1") == 60
    assert budget.wait_seconds("10000") == 60
