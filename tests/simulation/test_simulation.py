"""The product under faults: many schedules from a base seed, and what makes their stories trustworthy."""

import gc
import time
import weakref
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from multiprocessing import get_context

import pytest

from tests.simulation import explore as explore_module
from tests.simulation.ahead import Ahead
from tests.simulation.crash_points import unmet
from tests.simulation.directed import directed
from tests.simulation.explore import PROCESSES, explore, told
from tests.simulation.findings import Findings
from tests.simulation.plan import (
    APPROVING_SEEDS,
    NO_FAULTS,
    OTHER_FAMILIES,
    PLANNING_SEEDS,
    RETURNING_SEEDS,
    STREAMING_SEEDS,
    WAITING_SEEDS,
    make_plan,
)
from tests.simulation.planted_flow import DEFECTS
from tests.simulation.planting import planted
from tests.simulation.play import Summary, play, play_many
from tests.simulation.regressions import SELDOM, playable
from tests.simulation.shrink import Shrinker, shrunk_story, whole_story
from tests.simulation.virtual_loop import VirtualLoop
from tests.simulation.volume import BASE_SEED, FIRST_SCHEDULES, MOST, SCHEDULES, Most

# However long it takes.
_ALL = Most()
# The first 100 seeds have schedules of both modes, and stories with and without faults.
TOLD_SEEDS = (3, 8, *(first + seed for first in OTHER_FAMILIES for seed in (1, 4)))


def play_from(seed: int, schedules: int, findings: Findings, most: Most = _ALL) -> Summary:
    """Play so many schedules, or as many as there is time for; none breaks an invariant."""
    began_at = time.monotonic()
    summary = explore(schedules, seed, most=most)
    judge(summary, time.monotonic() - began_at, schedules, findings, most)
    return summary


def judge(summary: Summary, seconds: float, schedules: int, findings: Findings, most: Most) -> None:
    """None broke an invariant, and all were played or the time was up: how many is told, never judged."""
    findings.played(summary, seconds, schedules)
    assert not summary.failures, f"{told(summary, 0)}\n{shrunk_story(summary.failures[0].seed)}"
    assert summary.schedules == schedules or most.spent(summary.processor_seconds, seconds)


def test_no_schedule_breaks_an_invariant(findings: Findings) -> None:
    """Jobs end as their scripts say, once, whatever fails on the way; and crashes met every call to the world."""
    summary = play_from(BASE_SEED, FIRST_SCHEDULES, findings)
    summary.add(play_many(playable(SELDOM)))
    assert unmet(summary) == []


@pytest.mark.long
def test_no_schedule_of_very_many_breaks_an_invariant(
    findings: Findings, schedules_ahead: Ahead[Summary] | None
) -> None:
    """The same, for stories that are rare; together with the first ones these are SCHEDULES."""
    many = SCHEDULES - FIRST_SCHEDULES
    if schedules_ahead is None:
        play_from(BASE_SEED + FIRST_SCHEDULES, many, findings, MOST)
    else:
        judge(*schedules_ahead.result(), many, findings, MOST)


@pytest.mark.parametrize("most", [Most(processor_seconds=0.0), Most(seconds=0.0)])
def test_when_the_time_is_up_no_more_are_begun(monkeypatch: pytest.MonkeyPatch, most: Most) -> None:
    """Whichever it is: that of the processors, or that of the clock."""
    monkeypatch.setattr(explore_module, "_CHUNK", 1)
    assert explore(100, BASE_SEED, NO_FAULTS, most).schedules == 2 * PROCESSES


def test_the_processor_time_is_that_of_all_who_play() -> None:
    """What a process spends before it plays, or another one spends, is not counted, and the clock does not matter."""
    began_at = time.process_time()
    alone = play_many(range(BASE_SEED, BASE_SEED + 4))
    assert 0.0 < alone.processor_seconds <= time.process_time() - began_at
    together = explore(2 * PROCESSES, BASE_SEED)
    assert together.processor_seconds > 0.0, "others played, and said what it took"
    both = Summary()
    both.add(alone)
    both.add(together)
    assert both.processor_seconds == alone.processor_seconds + together.processor_seconds


def test_either_limit_is_enough_to_end_it() -> None:
    """Eight minutes of two cores are sixteen of a processor; where they are not to be had the clock ends it."""
    assert MOST.spent(960.0, 480.0)
    assert MOST.spent(10.0, 1_200.0)
    assert not MOST.spent(959.0, 1_199.0)
    assert not Most().spent(1e9, 1e9)


def test_the_report_says_how_long_it_took_and_whether_that_was_too_long() -> None:
    """By the processors, and by the clock."""
    findings = Findings()
    findings.played(Summary(schedules=1_000, processor_seconds=36.0), 20.0, 1_000)
    assert findings.text().startswith("1,000 schedules in 36 s of processor time (20 s by the clock)\n")
    findings.played(Summary(schedules=8_350, processor_seconds=721.0), 340.0, 19_000)
    assert findings.text().startswith(
        "9,350 of 20,000 schedules in 757 s of processor time (360 s by the clock; stopped: slow machine)\n"
    )


def test_a_world_that_is_closed_is_gone_at_once() -> None:
    """Its routes, and all that these lead to: to look for garbage took a fifteenth of a schedule."""
    gc.disable()
    try:
        with closing(VirtualLoop()) as loop:
            world = play(make_plan(BASE_SEED), loop)
            route = weakref.ref(world._hosts[0].app.site.routes[-1])
            world.close()
            assert route() is None
    finally:
        gc.enable()


def test_hand_made_schedules_break_no_invariant() -> None:
    """Stories that seeds tell too seldom."""
    with closing(VirtualLoop()) as loop:
        assert [
            world.violation
            for world in (play(plan, loop) for plan in (*directed(), *directed(waits=True)))
            if world.violation
        ] == []


def test_schedules_that_once_broke_an_invariant_break_none() -> None:
    """Each seed of regressions.py tells again the story that it is kept for."""
    summary = play_many(playable())
    assert not summary.failures, told(summary, 0)
    assert summary.schedules > 0


def test_without_faults_a_job_takes_no_message_too_many() -> None:
    """The bound on messages is exact where nothing goes wrong."""
    summary = play_many(range(BASE_SEED, BASE_SEED + 60), NO_FAULTS)
    summary.add(play_many(range(WAITING_SEEDS, WAITING_SEEDS + 60), NO_FAULTS))
    summary.add(play_many(range(PLANNING_SEEDS, PLANNING_SEEDS + 40), NO_FAULTS))
    summary.add(play_many(range(STREAMING_SEEDS, STREAMING_SEEDS + 40), NO_FAULTS))
    summary.add(play_many(range(APPROVING_SEEDS, APPROVING_SEEDS + 30), NO_FAULTS))
    summary.add(play_many(range(RETURNING_SEEDS, RETURNING_SEEDS + 40), NO_FAULTS))
    assert not summary.failures, told(summary, 0)


@pytest.mark.parametrize("seed", TOLD_SEEDS)
def test_a_seed_tells_the_same_story_in_every_process(seed: int) -> None:
    """Nothing but the seed goes in: no hash seed, no clock, no order of sets."""
    story = whole_story(seed)
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        assert pool.submit(whole_story, seed).result() == story
    assert len(story.splitlines()) > 20


def test_a_failing_schedule_becomes_small() -> None:
    """What is left breaks the same invariant, with fewer jobs and faults."""
    defect = next(defect for defect in DEFECTS if defect.name == "a failure callback is ignored")
    with planted(defect), closing(VirtualLoop()) as loop:
        seed = next(seed for seed in range(1, 100) if Shrinker(make_plan(seed), loop).name)
        shrinker = Shrinker(make_plan(seed), loop)
        shrinker.shrink()
        small = shrinker.world()
    assert small.violation is not None
    assert small.violation.name == shrinker.name
    assert len(small.plan.jobs) == 1
    assert f"BROKEN {shrinker.name}" in small.story.text()
