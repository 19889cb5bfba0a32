"""Sixty programs of five peers' documentation: what they come to here, plainly and with a crash at each await."""

from typing import Any

import pytest

from baton import Registry
from baton.testing import Simulation
from baton.testing.records import Run
from tests.unit.baton.sdk.workflows.ported import dbos, inngest, restate, temporal, vercel
from tests.unit.baton.sdk.workflows.ported.steps import Case, critic, writer

PEERS = (temporal, dbos, inngest, restate, vercel)
CASES = [case for peer in PEERS for case in peer.CASES]
# One short program of each peer; the long part has all of them.
QUICK = (4, 19, 34, 42, 60)


def _named(at: int) -> Any:
    return pytest.param(CASES[at], id=f"{CASES[at].program.name}-{at}", marks=() if at in QUICK else pytest.mark.long)


def _done(run: Run) -> list[str]:
    """Return what a run has done outside, which are the arguments of calls with an effect."""
    return sorted(str(*attempt.start.arguments.values()) for attempt in run.attempts if attempt.effects)


def test_there_are_sixty() -> None:
    assert len({case.program.name for case in CASES}) == 60


@pytest.mark.parametrize("case", [_named(at) for at in range(len(CASES))])
async def test_a_crash_at_an_await_of_a_ported_program_changes_nothing(case: Case) -> None:
    """Without one it comes to what its documentation says."""
    played = Simulation(Registry([writer, critic], workflows=[case.program, *case.below]))
    report = await played.crash_everywhere(
        case.program.name, "", input_data=case.given, decide=case.decide, outcomes=case.outcomes
    )
    usual = report.usual
    assert (usual.status, usual.error, _done(usual)) == ("completed", None, sorted(case.done))
    if not case.slow:  # that a tool is slower than its limit is a finding of its own
        report.check()
    assert (report.different, report.effects_repeated, report.effects_lost) == ([], [], [])
    assert all((run.result or {}).get("output") == case.output for run in (usual, *report.runs))
    assert len(report.points) > 10
