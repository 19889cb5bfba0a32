"""Branches go on alone, as they would in one process, with a crash at each point, twice delivered, in any order."""

from typing import Any

import pytest

from baton import Registry
from baton.testing import Approve, Reject, Simulation
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
    ("approved_beside", {}, [7, "pack"], 2),
    ("worked_off", {"items": 5, "workers": 2}, [f"item {number}" for number in range(5)], 5),
    ("saga", {}, "booked", 3),
]
DECIDES = {"approved_beside": lambda _: Approve()}  # of the others nobody decides anything
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
    run = await _simulation().run(name, "", input_data=given, decide=DECIDES.get(name), faults=[fault] if fault else [])
    assert (run.status, run.error) == ("completed", None)
    assert run.result is not None
    assert run.result.get("output") == (output or "undo")
    # A store that forgets the end of a wait delays it, and another one may be over before.
    assert _done(run) == done or fault == "forgetful_store"


@pytest.mark.long
@pytest.mark.parametrize(("name", "given", "output", "done"), CASES, ids=NAMES)
async def test_a_crash_changes_no_branch(name: str, given: dict[str, Any], output: Any, done: int) -> None:
    report = await _simulation().crash_everywhere(name, "", input_data=given, decide=DECIDES.get(name))
    report.check()
    assert all(run.result and run.result.get("output") == (output or "undo") for run in report.runs)


@pytest.mark.parametrize("force_at", [None, 5000])
async def test_a_saga_that_is_cancelled_undoes_what_it_has_done_unless_by_force(force_at: float | None) -> None:
    run = await _simulation().run("saga", "", cancel_at=5000, force_at=force_at)
    assert run.status == "cancelled"
    whats = [attempt.start.arguments["what"] for attempt in run.attempts if attempt.effects]
    assert whats == ["book flight", "book hotel", *([] if force_at else ["cancel hotel", "cancel flight"])]
    at_once = await _simulation().run("saga", "", cancel_at=0)
    assert (at_once.status, at_once.attempts) == ("cancelled", [])


@pytest.mark.long
async def test_a_crash_does_not_change_what_is_undone() -> None:
    report = await _simulation().crash_everywhere("saga", "", cancel_at=5000)
    report.check()
    assert {(run.status, _done(run)) for run in report.runs} == {("cancelled", 4)}


async def test_what_is_given_up_waits_no_more() -> None:
    run = await _simulation().run("first_wins", "")
    [_, slow] = [call for call in run.calls if call["tool"] == "sleep"]
    assert (slow["status"], slow["error"]["type"]) == ("cancelled", "given_up")
    assert run.virtual_seconds < 600


async def test_a_refusal_raises_where_it_is_awaited_and_cancels_the_rest() -> None:
    run = await _simulation().run("approved_beside", "", decide=lambda _: Reject("too much"))
    assert (run.status, run.error and run.error["type"]) == ("failed", "ExceptionGroup")
    assert "too much" in str(run.error)
