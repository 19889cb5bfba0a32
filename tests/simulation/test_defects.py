"""The test of the test: what an invariant cannot catch, it does not promise."""

import pytest

from tests.simulation import defects
from tests.simulation.defects import (
    ALL_NAMES,
    DEFECTS,
    MOST_SCHEDULES,
    Known,
    catch,
    catch_each,
    known_stories,
    plan_of,
    table,
)
from tests.simulation.findings import Findings
from tests.simulation.plan import make_plan
from tests.simulation.planting import planted
from tests.simulation.workers import GIVING_WAY


@pytest.mark.long
def test_every_planted_defect_is_caught(findings: Findings) -> None:
    """Each of them breaks the invariant that speaks of it within a thousand schedules."""
    caught = list(catch_each(ALL_NAMES, giving_way=GIVING_WAY))
    findings.caught += caught
    assert [one.defect for one in caught] == list(ALL_NAMES)
    assert [one.defect for one in caught if not one.invariant] == [], table(caught)


def test_a_planted_defect_is_taken_out_again() -> None:
    """Afterwards the product is as it was."""
    for defect in DEFECTS:
        before = [getattr(patch.owner, patch.attribute) for patch in defect.patches]
        with planted(defect):
            assert [getattr(patch.owner, patch.attribute) for patch in defect.patches] != before, defect.name
        assert [getattr(patch.owner, patch.attribute) for patch in defect.patches] == before, defect.name


@pytest.mark.long
def test_what_is_known_is_of_a_defect_and_can_be_replayed() -> None:
    """Else it is only looked for longer, and nobody sees why."""
    known = known_stories()
    assert [name for name in known if name not in ALL_NAMES] == []
    assert [name for name, (story, _) in known.items() if not plan_of(story).jobs] == []
    assert [name for name, (_, schedules) in known.items() if not 0 < schedules <= MOST_SCHEDULES] == []


def test_a_story_that_reports_no_more_of_its_defect_is_looked_for_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """The product has changed what a seed tells: that takes longer, is reported, and hides nothing."""
    name = "a crash is survived"
    quiet = next(str(seed) for seed in range(1, 100) if make_plan(seed).faultless)
    monkeypatch.setattr(defects, "known_stories", lambda: {name: Known(quiet, 1)})
    caught = catch(name)
    assert (caught.invariant, caught.known) == ("a_crash_ends_an_invocation", False)
    assert f"looked for anew, as no known story tells of them: {name}" in table([caught])
    monkeypatch.setattr(defects, "known_stories", lambda: {name: Known(caught.story, caught.schedules)})
    again = catch(name)
    assert (again.known, again.story, again.schedules) == (True, caught.story, caught.schedules)
    assert "looked for anew" not in table([again])


def test_defects_have_names_of_their_own() -> None:
    """The table tells them apart."""
    assert len({defect.name for defect in DEFECTS}) == len(DEFECTS) >= 40
