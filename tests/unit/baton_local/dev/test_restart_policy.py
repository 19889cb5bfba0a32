import pytest

from baton_local.dev.keeper import Again, GiveUp, RestartPolicy


def verdicts(*lives: float | None) -> list[Again | GiveUp]:
    policy, found = RestartPolicy(), []
    for served_seconds in lives:
        policy, verdict = policy.after_death(served_seconds)
        found.append(verdict)
    return found


def test_a_part_that_served_comes_back_at_once_however_often() -> None:
    assert set(verdicts(*[1.5] * 50)) == {Again(0.0)}


@pytest.mark.parametrize("served_seconds", [None, 0.0, 0.9])
def test_five_quick_deaths_in_a_row_are_the_end(served_seconds: float | None) -> None:
    *before, last = verdicts(*[served_seconds] * 5)
    assert last == GiveUp(5)
    pauses = [verdict.pause_seconds for verdict in before if isinstance(verdict, Again)]
    assert pauses == sorted(pauses)
    assert len(pauses) == 4


def test_a_proper_life_in_between_forgives() -> None:
    assert GiveUp(5) not in verdicts(None, None, None, None, 2.0, None, None, None, None)
