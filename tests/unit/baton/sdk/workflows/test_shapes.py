"""Free branches, first-of, time limits, workers and clean-up: right without a crash, and with one at each point."""

from typing import Any

import pytest

from baton.testing import Approve, Reject, Simulation
from baton.testing.records import Run
from tests.unit.baton.sdk.workflows.shapes import registry

PLAYED: dict[str, tuple[dict[str, Any], str, Any, list[str]]] = {
    "ships_at_once": ({}, "completed", [True, {"timedOut": True}], ["pack", "ship"]),
    "first_of": ({}, "completed", ["fast", "after"], ["after"]),
    "in_an_hour": ({}, "completed", "excuse", ["bake", "excuse"]),
    "reminded": ({}, "completed", False, ["remind", "remind"]),
    "five_at_a_time": ({"input_data": {"count": 6}}, "completed", 15, []),
    "approved_beside": ({"decide": lambda _: Approve()}, "completed", [7, "pack"], ["pack"]),
    "trip": ({"cancel_at": 5000}, "cancelled", None, ["flight", "hotel", "cancel hotel", "cancel flight"]),
}


def done_in(run: Run) -> list[str]:
    return [call["arguments"]["what"] for call in run.calls if call["tool"] == "do"]


@pytest.mark.parametrize("name", PLAYED)
@pytest.mark.parametrize("faults", [(), ("duplicates", "reorder")], ids=["", "duplicates"])
async def test_it_comes_to_what_it_says(name: str, faults: tuple[str, ...]) -> None:
    options, status, output, done = PLAYED[name]
    run = await Simulation(registry, seed=3).run(name, "", faults=faults, **options)
    assert (run.status, (run.result or {}).get("output"), done_in(run)) == (status, output, done), run.error


@pytest.mark.long
@pytest.mark.parametrize("name", PLAYED)
async def test_no_crash_changes_it(name: str) -> None:
    options, *_ = PLAYED[name]
    report = await Simulation(registry, seed=3).crash_everywhere(name, "", **options)
    assert len(report.points) > 20
    report.check()


async def test_what_is_given_up_waits_no_more() -> None:
    run = await Simulation(registry).run("first_of", "")
    [slow, _] = [call for call in run.calls if call["tool"] == "sleep"]
    assert (slow["status"], slow["error"]["type"]) == ("cancelled", "given_up")
    assert run.virtual_seconds < 600


async def test_a_cancel_by_force_ends_it_before_it_has_cleaned_up() -> None:
    run = await Simulation(registry).run("trip", "", cancel_at=5000, force_at=5000)
    assert (run.status, "cancel hotel" in done_in(run)) == ("cancelled", False)


async def test_a_refusal_raises_where_it_is_awaited_and_cancels_the_rest() -> None:
    run = await Simulation(registry).run("approved_beside", "", decide=lambda _: Reject("too much"))
    assert (run.status, run.error and run.error["type"]) == ("failed", "ExceptionGroup")
    assert "too much" in str(run.error)
