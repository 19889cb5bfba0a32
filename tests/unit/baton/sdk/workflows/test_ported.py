"""Sixty programs of five peers' documentation: what they come to here, plainly and with a crash at each await."""

from typing import Any

import pytest

from baton import Registry
from baton.testing import Simulation
from baton.testing.records import Run
from baton.testing.report import Report
from baton.testing.simulation import _outcome
from baton.testing.world import Scene, points_of
from tests.unit.baton.sdk.workflows.ported import dbos, inngest, restate, temporal, vercel
from tests.unit.baton.sdk.workflows.ported.steps import Case, critic, writer

PEERS = (temporal, dbos, inngest, restate, vercel)
CASES = [case for peer in PEERS for case in peer.CASES]
# Each await has some ten points, from the claim of its stretch to the commit of its result.
_EVERY = 5


def _simulation(case: Case) -> Simulation:
    return Simulation(Registry([writer, critic], workflows=[case.program, *case.below]))


def _named(step: int, every: int, marks: Any = ()) -> list[Any]:
    cases = enumerate(CASES[::step])
    return [pytest.param(case, every, id=f"{case.program.name}-{at}-{every}", marks=marks) for at, case in cases]


def _done(run: Run) -> list[str]:
    """Return what a run has done outside, which are the arguments of calls with an effect."""
    return sorted(str(*attempt.start.arguments.values()) for attempt in run.attempts if attempt.effects)


def test_there_are_sixty() -> None:
    assert len({case.program.name for case in CASES}) == 60


async def _crashed(case: Case, first: int, every: int) -> Report:
    """Play a case with a crash at each n-th point; all cases together meet all kinds of points."""
    played = _simulation(case)
    scene = Scene(case.program.name, "", case.given, None, case.decide, case.outcomes)
    with played._played(scene) as world:
        reached, usual = world.points, await _outcome(world, None)
    with played._played(scene) as world:
        other = await _outcome(world, None)
    points, runs = points_of(reached)[first::every], list[Run]()
    for point in points:
        with played._played(scene, point) as world:
            runs.append(await _outcome(world, point))
    return Report(points, usual, other, runs)


@pytest.mark.parametrize(("case", "every"), [*_named(6, _EVERY), *_named(1, 1, marks=pytest.mark.long)])
async def test_a_crash_at_an_await_of_a_ported_program_changes_nothing(case: Case, every: int) -> None:
    """Without one it comes to what its documentation says."""
    report = await _crashed(case, CASES.index(case) % every, every)
    usual = report.usual
    assert (usual.status, usual.error, _done(usual)) == ("completed", None, sorted(case.done))
    if not case.slow:  # that a tool is slower than its limit is a finding of its own
        report.check()
    assert (report.different, report.effects_repeated, report.effects_lost) == ([], [], [])
    assert all((run.result or {}).get("output") == case.output for run in (usual, *report.runs))
    assert len(report.points) > 1
