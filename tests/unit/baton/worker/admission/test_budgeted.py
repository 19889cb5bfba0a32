"""A model call before its budgets, by what their store answers or does not."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from baton import Budget
from baton.engine.commit.answers import Claim, History
from baton.engine.effects import CallModel, Work
from baton.engine.state import Job
from baton.engine.step_results import ModelAnswered, OverBudget, StepResult
from baton.sdk.records.budget import Per, Unit
from baton.sdk.tools.running_calls import NotYetError
from baton.store.records.budgets import Reached, Reservation, Settled, Want
from baton.store.redis.budgets import Budgets
from baton.worker.admission.budgeted import Budgeted, Declared, budget_alerts
from baton_events.errors import StoreError
from tests.fakes.stored import FakeConnection
from tests.unit.baton.kit.stage import Stage

DAY_MS, NOON_MS = 86_400_000, 1_800_100_800_000  # of 2027-01-16
ANSWER = ModelAnswered("done", cost_usd=0.02)


class Answering(Budgets):
    """Answers what it is told to, and is away for what it has no answer."""

    def __init__(self, stage: Stage, *reservations: Reservation, settles: bool = True) -> None:
        super().__init__(FakeConnection(stage.redis))
        self._reservations, self._settles = list(reservations), settles
        self.settled = list[tuple[str, Sequence[int | None]]]()
        self.raised = list[tuple[int, str]]()

    async def reserve(self, wants: Sequence[Want], name: str, event: str, lease_ms: int) -> Reservation:
        if not self._reservations:
            raise StoreError("away")
        return self._reservations.pop(0)

    async def raise_limit(
        self, key: str, per: Per, unit: Unit, period: str, limit: int, *, once: str = ""
    ) -> tuple[str, ...]:
        self.raised.append((limit, once))
        return ()

    async def settle(
        self, wants: Sequence[Want], periods: Sequence[str], name: str, costs: Sequence[int | None]
    ) -> Settled:
        self.settled.append((name, costs))
        if not self._settles:
            raise StoreError("away")
        return Settled()


async def _called(
    budgets: Answering,
    stage: Stage,
    budget: Budget,
    lost: int = 0,
    memo: Mapping[str, Any] | None = None,
    at_ms: int = NOON_MS,
) -> tuple[StepResult | None, int]:
    asked = list[str]()

    async def ask(_effect: Work, _history: History, claim: Claim) -> StepResult | None:
        asked.append(claim.item_key)
        return ANSWER

    declared = Declared([budget], lambda _unit: 0, 1_000)
    budgeted = Budgeted(ask, lambda _effect, _history: declared, budgets, stage.container.emitter)
    job = Job("job_1", "session", "acme", "a", NOON_MS)
    claim = Claim(job.id, "loop:job_1:1:1", "msg", "owner", at_ms, 0)
    try:
        return await budgeted(CallModel(job, 1, 1, lost=lost, memo=dict(memo or {})), History(), claim), len(asked)
    except StoreError:
        return None, len(asked)


BUDGET = Budget("k", usd=1, on_limit="wait")
GRANTED = Reservation("granted", ("2027-01-15",))


async def test_no_model_is_asked_while_the_store_does_not_answer() -> None:
    """The message comes again; a budget that nobody can read lets nothing through."""
    stage = Stage()
    assert await _called(Answering(stage), stage, BUDGET) == (None, 0)


async def test_an_answer_is_kept_whose_cost_the_store_does_not_take() -> None:
    """The reservation stays, and counts in full at the end of its lease."""
    stage = Stage()
    budgets = Answering(stage, GRANTED, settles=False)
    assert await _called(budgets, stage, BUDGET, lost=2) == (ANSWER, 1)
    assert budgets.settled == [("loop:job_1:1:1:2", [20_000])]


async def test_a_call_that_asks_again_raises_under_the_same_name() -> None:
    """So an operator may lower the limit meanwhile; a claim that was lost changes no name."""
    stage = Stage()
    budgets = Answering(stage, GRANTED, GRANTED)
    about = {"key": "k", "per": "day", "period": "2027-01-15", "unit": "usd", "raise": 2}
    for lost in (0, 1):
        await _called(budgets, stage, BUDGET, lost, {"budget": about})
    assert budgets.raised == [(2_000_000, "loop:job_1:1:1")] * 2


@pytest.mark.parametrize(("waited_ms", "wait_ms"), [(0, 1_000), (4_000, 4_000), (3_600_000, 60_000)])
async def test_a_call_asks_again_after_as_long_as_it_has_waited(waited_ms: int, wait_ms: int) -> None:
    stage = Stage()
    busy = Reservation("busy", waited_ms=waited_ms)
    with pytest.raises(NotYetError) as waits:
        await _called(Answering(stage, busy), stage, BUDGET)
    assert (waits.value.wait_ms, waits.value.limit) == (wait_ms, "budget 'k'")


@pytest.mark.parametrize(("share", "late_ms"), [(0.0, 0), (0.5, 30_000), (1.0, 60_000)])
async def test_who_waits_for_a_period_comes_within_a_minute_the_earliest_first(share: float, late_ms: int) -> None:
    stage = Stage()
    today = NOON_MS - DAY_MS // 2
    used_up = Reservation("used_up", (), 0, "2027-01-16", 1_000_000, 1_000_000, resets_ms=today + DAY_MS)
    at_ms = min(today + int(share * DAY_MS), today + DAY_MS - 1)
    result, asked = await _called(Answering(stage, used_up), stage, BUDGET, at_ms=at_ms)
    assert isinstance(result, OverBudget)
    assert (asked, abs(result.until_ms - (today + DAY_MS + late_ms)) <= 1) == (0, True)


def test_an_alert_names_the_budget_its_share_and_its_sums() -> None:
    """Once for a share of a period, and once more where the limit has changed."""
    wants = [Want("user:7", "day", "usd", "UTC", 1, None, ()), Want("acme", "day", "tokens", "UTC", 1, None, ())]
    reached = [Reached(0, 80, "2026-11-28", 4_000_000, 5_000_000), Reached(1, 100, "total", 2_100_000, 2_000_000)]
    first, second = budget_alerts("job_a", wants, reached)
    assert first.message == "the budget 'user:7' for 2026-11-28 has reached 80 %: 4.00 of 5.00 usd"
    assert second.message == "the budget 'acme' for total has reached 100 %: 2,100,000 of 2,000,000 tokens"
    assert (first.job_id, first.kind, first.once) == ("job_a", "budget", "budget:user:7:day:usd:2026-11-28:80:5.00")
    assert budget_alerts("job_b", wants, reached[:1])[0].once == first.once
    assert budget_alerts("job_b", wants, [Reached(0, 80, "2026-11-28", 8, 10_000_000)])[0].once != first.once
