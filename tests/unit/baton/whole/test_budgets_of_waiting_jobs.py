"""Budgets of jobs that wait: for a period, for a raise, for an answer that the queue brings."""

import pytest

from baton import Budget, Registry
from baton.engine.waits import status_and_wait
from baton.queue.dispatch import postpone
from baton.sdk.records.budget import amount_of
from baton_events.schema import parse_event
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.sdk.models.through_pydantic_ai.provider_cases import KEY, OPENAI
from tests.unit.baton.whole.test_budgets import CENT, Priced, agent
from tests.unit.baton.whole.test_offloaded_calls import DONE, OffloadedStage
from tests.unit.baton.whole.test_offloaded_calls import agent as offloading


async def test_a_job_that_waits_for_its_budget_holds_no_slot_and_is_woken_by_a_raise() -> None:
    budget = Budget("k", usd=0.02, reserve=0.02, on_limit="wait")
    stage = Stage(registry=Registry([agent(budget)]))
    await stage.played("a")
    await stage.submit("a", "job_2")
    await stage.run(within_seconds=5)
    snapshot = await stage.snapshot("job_2")
    line = "the budget 'k' for turn 1, until 2027-01-16T00:00:00.000Z"
    assert status_and_wait(snapshot.job, snapshot.items, snapshot.slot_state, stage.clock.ms) == ("waiting", line)
    assert not stage.entry("job_2").slot
    sums = await stage.ports.counters.sums()
    assert sums["budget_waits"] == 1
    assert stage.container.ports.budgets is not None
    woken = await stage.container.ports.budgets().raise_limit("k", "day", "usd", "2027-01-15", 4 * CENT)
    for event in woken:
        await postpone(stage.container.emitter, parse_event(event.encode()), 0, "raised")
    await stage.run(within_seconds=5)
    assert (await stage.now("job_2")).status == "completed"


@pytest.mark.parametrize("late_ms", [0, 16 * 3_600_000])
async def test_an_offloaded_call_settles_in_the_period_in_which_it_reserved(
    late_ms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(OPENAI.key_variable, KEY)
    stage = OffloadedStage(
        offloading(
            model_settings={"timeout": 90_000}, budgets=[Budget("k", usd=1, reserve=0.5, time_zone="Asia/Tokyo")]
        )
    )
    budgets = stage.container.ports.budgets
    assert budgets is not None
    request = await stage.asks()
    assert [(row.period, row.spent, row.reserved) for row in (await budgets().rows("k"))[0]] == [
        ("2027-01-15", 0, 50 * CENT)
    ]
    stage.clock.ms += late_ms
    await stage.bring(request, DONE)
    job = await stage.now()
    spent = amount_of("usd", job.used.cost_usd)
    assert (job.status, spent > 0) == ("completed", True)
    stage.clock.ms -= late_ms
    assert [(row.period, row.spent, row.reserved) for row in (await budgets().rows("k"))[0]] == [
        ("2027-01-15", spent, 0)
    ]


async def test_a_job_that_had_no_room_is_retried_from_its_failure_once_there_is() -> None:
    """Its earlier turn stays, and is paid once."""
    stage = Stage(registry=Registry([agent(Budget("k", usd=0.03, reserve=0.02), model=Priced(calls=1))]))
    failed = await stage.played("a")
    assert failed.error is not None
    assert (failed.error.type, failed.used.model_calls) == ("budget_exceeded", 1)
    counted = await stage.ports.counters.sums()
    assert counted["budget_refusals"] == 1
    assert not any(name.startswith("model_failures") for name in counted), "no model was asked"
    budgets = stage.container.ports.budgets
    assert budgets is not None
    await budgets().set_limit("k", "day", "usd", 5 * CENT)
    await stage.container.commands.retry(failed, "ann", from_start=False)
    await stage.run()
    job = await stage.now()
    assert (job.status, job.used.model_calls) == ("completed", 2)
    (row,), _ = await budgets().rows("k")
    assert (row.spent, row.reserved) == (4 * CENT, 0)


async def test_a_cancelled_job_waits_for_no_budget() -> None:
    stage = Stage(registry=Registry([agent(Budget("k", usd=0.02, reserve=0.02, on_limit="wait"))]))
    await stage.played("a")
    await stage.submit("a", "job_2")
    await stage.run(within_seconds=5)
    await stage.container.commands.cancel(await stage.now("job_2"), "ann")
    assert (await stage.now("job_2")).status == "cancelled"
    await stage.run()
    budgets = stage.container.ports.budgets
    assert budgets is not None
    (row,), _ = await budgets().rows("k")
    assert row.spent == 0, "its message comes in the next period, and finds nothing to do"
