"""Planted bugs of users are found at some crash point, and no correct agent is accused."""

from collections.abc import Iterable
from typing import Any

import pytest

from baton.testing import Simulation
from tests.unit.baton.testing.planted import cancelled, chance, double, early, keys, outside, results, slow, state
from tests.unit.baton.testing.planted.correct import CORRECT

_KINDS = {
    kind.__name__.rpartition(".")[2]: kind.PLANTED
    for kind in (keys, state, chance, early, cancelled, double, results, slow)
}
PLANTED = {f"{kind}: {name}": registry for kind, planted in _KINDS.items() for name, registry in planted.items()}
# Each plays an agent at every point. `make test` plays one bug of each kind, and one correct agent.
_FIRST = {*(f"{kind}: {next(iter(planted))}" for kind, planted in _KINDS.items()), next(iter(CORRECT))}


def _each(names: Iterable[str]) -> list[Any]:
    return [pytest.param(name, marks=() if name in _FIRST else pytest.mark.long) for name in names]


def test_bugs_are_planted_and_fifteen_agents_are_correct() -> None:
    assert (len(PLANTED), len(CORRECT)) == (42, 15)


@pytest.mark.parametrize("name", _each(PLANTED))
async def test_a_planted_bug_is_found(name: str) -> None:
    report = await Simulation(PLANTED[name], fresh=outside.clear).crash_everywhere("agent", "go on")
    with pytest.raises(AssertionError):
        report.check()


@pytest.mark.parametrize("name", _each(CORRECT))
async def test_a_correct_agent_is_not_accused(name: str) -> None:
    correct = CORRECT[name]
    report = await Simulation(correct.registry, fresh=outside.clear).crash_everywhere(
        "agent", "go on", **correct.options
    )
    report.check()
    assert len(report.points) > 10
    assert {run.status for run in report.runs} == {"completed"}
