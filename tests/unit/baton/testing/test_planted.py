"""Planted bugs of users are found at some crash point, and no correct agent is accused."""

import pytest

from baton.testing import Simulation
from tests.unit.baton.testing.planted import cancelled, chance, double, early, keys, outside, results, slow, state
from tests.unit.baton.testing.planted.correct import CORRECT

KINDS = (keys, state, chance, early, cancelled, double, results, slow)
PLANTED = {
    f"{kind.__name__.rpartition('.')[2]}: {name}": registry for kind in KINDS for name, registry in kind.PLANTED.items()
}


def test_bugs_are_planted_and_fifteen_agents_are_correct() -> None:
    assert (len(PLANTED), len(CORRECT)) == (42, 15)


@pytest.mark.parametrize("name", PLANTED)
async def test_a_planted_bug_is_found(name: str) -> None:
    report = await Simulation(PLANTED[name], fresh=outside.clear).crash_everywhere("agent", "go on")
    with pytest.raises(AssertionError):
        report.check()


@pytest.mark.parametrize("name", CORRECT)
async def test_a_correct_agent_is_not_accused(name: str) -> None:
    correct = CORRECT[name]
    report = await Simulation(correct.registry, fresh=outside.clear).crash_everywhere(
        "agent", "go on", **correct.options
    )
    report.check()
    assert len(report.points) > 10
    assert {run.status for run in report.runs} == {"completed"}
