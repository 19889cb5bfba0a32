"""A user's test finds a budget that does not hold: crash points lie around reservations and settlements."""

from typing import Any

import pytest

from baton import Agent, Budget, Registry
from baton.store.redis.in_process.server import InProcessRedis
from baton.testing import Simulation
from baton.worker.admission import budgeted
from tests.contract.store.planted_budgets import BUDGET
from tests.unit.baton.whole.test_budgets import Priced

FREE_BY_TIME = next(defect for defect in BUDGET if defect.name == "free by time")


async def _most_paid() -> int:
    """Play a call of two cents by a budget of three, with each crash; return how often it was made at most."""
    model, paid = Priced(usd=0.02), [0]

    def fresh() -> None:
        paid.append(model.asked)
        model.asked = 0

    agent = Agent(name="a", model=model, budgets=[Budget("k", usd=0.03, reserve=0.02)])
    await Simulation(Registry([agent]), fresh=fresh).crash_everywhere("a", "work")
    return max(*paid, model.asked)


async def test_no_crash_pays_more_than_the_budget_has() -> None:
    assert await _most_paid() == 1


async def test_a_reservation_that_is_free_by_time_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def script(_self: InProcessRedis, text: str) -> str:
        return text.replace(FREE_BY_TIME.old, FREE_BY_TIME.new)

    monkeypatch.setattr(InProcessRedis, "script", script)
    assert await _most_paid() == 2


async def test_a_name_without_its_attempt_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def name_of(effect: Any, _claim: Any) -> str:
        return str(effect.job.id)

    monkeypatch.setattr(budgeted, "_name_of", name_of)
    assert await _most_paid() == 2
