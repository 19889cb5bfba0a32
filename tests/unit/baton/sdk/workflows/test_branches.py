"""Branches go on alone, as they would in one process, with a crash at each point, twice delivered, in any order."""

from typing import Any

import pytest

from baton import Registry
from baton.testing import Simulation
from baton.testing.records import Run
from baton.testing.simulation import FAULTS
from tests.unit.baton.sdk.workflows.branches import ALL

LATE = {"timedOut": True}
# (workflow, input, output, what is done outside)
CASES: list[tuple[str, dict[str, Any], Any, int]] = [
    ("ships_at_once", {}, [True, LATE], 2),
    ("first_wins", {}, [["quick"], 1, True], 1),
    ("three_in_time", {"seconds": 1000}, "in time", 3),
    ("three_in_time", {"seconds": 100}, None, 3),
    ("reminded_daily", {}, ["late", 2], 2),
    ("worked_off", {"items": 30, "workers": 5}, [f"item {number}" for number in range(30)], 30),
    ("saga", {}, "booked", 3),
    ("told_why", {}, ["unavailable", "the service is down", True], 0),
]
NAMES = [f"{name}-{at}" for at, (name, *_) in enumerate(CASES)]


def _simulation() -> Simulation:
    return Simulation(Registry(workflows=ALL))


def _done(run: Run) -> int:
    return len({key for attempt in run.attempts for key in attempt.effects})


@pytest.mark.parametrize("fault", ["", *(pytest.param(fault, marks=pytest.mark.long) for fault in FAULTS)])
@pytest.mark.parametrize(("name", "given", "output", "done"), CASES, ids=NAMES)
async def test_branches_do_not_wait_for_each_other(
    name: str, given: dict[str, Any], output: Any, done: int, fault: str
) -> None:
    run = await _simulation().run(name, "", input_data=given, faults=[fault] if fault else [])
    assert (run.status, run.error) == ("completed", None)
    assert run.result is not None
    assert run.result.get("output") == (output or "undo")
    # A store that forgets the end of a wait delays it, and another one may be over before.
    assert _done(run) == done or fault == "forgetful_store"


@pytest.mark.long
@pytest.mark.parametrize(("name", "given", "output", "done"), CASES, ids=NAMES)
async def test_a_crash_changes_no_branch(name: str, given: dict[str, Any], output: Any, done: int) -> None:
    report = await _simulation().crash_everywhere(name, "", input_data=given)
    report.check()
    assert all(run.result and run.result.get("output") == (output or "undo") for run in report.runs)


async def test_a_saga_that_is_cancelled_undoes_what_it_has_done() -> None:
    run = await _simulation().run("saga", "", cancel_at=5000)
    assert run.status == "cancelled"
    whats = [attempt.start.arguments["what"] for attempt in run.attempts if attempt.effects]
    assert whats == ["book flight", "book hotel", "cancel hotel", "cancel flight"]
