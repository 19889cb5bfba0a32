"""The test of the test: what an invariant cannot catch, it does not promise."""

import pytest

from tests.simulation.ahead import Ahead
from tests.simulation.defects import ALL_NAMES, DEFECTS, Caught, catch_all, table
from tests.simulation.findings import Findings
from tests.simulation.planting import planted


@pytest.mark.long
def test_every_planted_defect_is_caught(findings: Findings, defects_ahead: Ahead[list[Caught]] | None) -> None:
    """Each of them breaks the invariant that speaks of it within a thousand schedules."""
    caught = catch_all(ALL_NAMES) if defects_ahead is None else defects_ahead.result()[0]
    findings.caught += caught
    assert [one.defect for one in caught] == list(ALL_NAMES)
    assert [one.defect for one in caught if not one.invariant] == [], table(caught)


def test_once_it_is_stopped_no_more_defects_are_planted() -> None:
    """As where the tests end early."""
    assert catch_all(ALL_NAMES, stopped=lambda: True) == []


def test_a_planted_defect_is_taken_out_again() -> None:
    """Afterwards the product is as it was."""
    for defect in DEFECTS:
        before = [getattr(patch.owner, patch.attribute) for patch in defect.patches]
        with planted(defect):
            assert [getattr(patch.owner, patch.attribute) for patch in defect.patches] != before, defect.name
        assert [getattr(patch.owner, patch.attribute) for patch in defect.patches] == before, defect.name


def test_defects_have_names_of_their_own() -> None:
    """The table tells them apart."""
    assert len({defect.name for defect in DEFECTS}) == len(DEFECTS) >= 40
