"""The product under faults: many schedules from a base seed, and what makes their stories trustworthy."""

import gc
import time
import weakref
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import replace
from itertools import chain, product
from multiprocessing import get_context

import pytest

from baton.testing.virtual_loop import VirtualLoop
from tests.simulation import explore as explore_module
from tests.simulation import plan
from tests.simulation.defects import DEFECTS
from tests.simulation.directed import directed
from tests.simulation.explore import explore, summary_of
from tests.simulation.findings import Findings
from tests.simulation.plan import LIMITED_SEEDS, NO_FAULTS, OTHER_FAMILIES, make_plan
from tests.simulation.planting import planted
from tests.simulation.play import Summary, play, play_deaths, play_many
from tests.simulation.regressions import REGRESSIONS
from tests.simulation.shrink import Shrinker, shrunk_story, whole_story
from tests.simulation.volume import (
    BASE_SEED,
    FIXED,
    FRESH_SCHEDULES,
    FRESH_SLICE,
    FRESH_VARIABLE,
    SMALL,
    TIME_LIMIT_SECONDS,
    Batch,
    fresh,
)
from tests.simulation.workers import GIVING_WAY, PROCESSES

# The first 100 seeds have schedules of both modes, and stories with and without faults.
STORY_SEEDS = (3, 8, *(first + 1 for first in OTHER_FAMILIES))
MORE_STORY_SEEDS = tuple(first + 4 for first in OTHER_FAMILIES)


def play_all(batch: Batch, findings: Findings) -> Summary:
    """Play as many schedules as are promised; none breaks an invariant."""
    began_at = time.monotonic()
    summary = explore(batch.schedules, batch.seed, most_seconds=TIME_LIMIT_SECONDS, giving_way=GIVING_WAY)
    judge(summary, time.monotonic() - began_at, batch, findings)
    return summary


def judge(summary: Summary, seconds: float, batch: Batch, findings: Findings) -> None:
    """None broke an invariant, and all that were promised were played, however slow the machine is."""
    findings.played(summary, seconds, batch)
    assert not summary.failures, f"{summary_of(summary, 0)}\n{shrunk_story(summary.failures[0].seed)}"
    assert summary.schedules == batch.schedules, (
        f"only {summary.schedules:,} of {batch.schedules:,} schedules ({batch.name}) were played in {seconds:.0f} s: "
        f"what the others would show is not known"
    )


@pytest.mark.long
def test_no_schedule_breaks_an_invariant(findings: Findings) -> None:
    """Jobs end as their scripts say, once, whatever fails; and each kind of invocation died at each call."""
    summary = play_all(FIXED, findings)
    deaths = play_deaths(summary)
    assert not deaths.failures, summary_of(deaths, 0)
    summary.add(deaths)
    assert summary.missed() == []


@pytest.mark.long
def test_no_fresh_schedule_breaks_an_invariant(findings: Findings, fresh_batch: Batch) -> None:
    """The same, for stories that nobody has played before: each commit and each day has others."""
    play_all(fresh_batch, findings)


@pytest.mark.long
def test_no_schedule_of_a_small_world_breaks_an_invariant(findings: Findings) -> None:
    """The same, for one job or two: so many more stories that whatever needs no more is met."""
    play_all(SMALL, findings)


def test_the_first_fresh_schedules_break_no_invariant(findings: Findings, fresh_batch: Batch) -> None:
    """A slice of these, with which every run of tests looks at stories of its commit."""
    began_at, batch = time.monotonic(), replace(fresh_batch, schedules=FRESH_SLICE)
    judge(play_many(range(batch.seed, batch.seed + FRESH_SLICE)), time.monotonic() - began_at, batch, findings)


def test_fewer_schedules_than_promised_are_a_failure() -> None:
    """A slow machine takes longer; one that never ends is stopped by the clock, and that is told, never excused."""
    with pytest.raises(AssertionError, match=r"only 4,990 of 5,000 schedules \(fresh\) were played in 3000 s"):
        judge(Summary(schedules=4_990), 3_000.0, Batch("fresh", 7, 5_000), Findings())
    judge(Summary(schedules=5_000), 9_000.0, Batch("fresh", 7, 5_000), Findings())


def test_each_commit_has_fresh_seeds() -> None:
    """They are told, and the environment has the same ones played again."""
    batch = fresh({}, "c121eb1aa")
    assert batch == fresh({}, "c121eb1aa")
    assert batch.schedules == FRESH_SCHEDULES
    assert f"{FRESH_VARIABLE}={batch.seed}" in batch.name
    other = fresh({}, "c121eb1ab").seed
    assert other != batch.seed
    assert fresh({FRESH_VARIABLE: str(batch.seed)}, "").seed == batch.seed
    assert all(FIXED.seed + FIXED.schedules < seed < LIMITED_SEEDS - FRESH_SCHEDULES for seed in (batch.seed, other))


@pytest.mark.parametrize("shown", ["0", "-1", "x", str(LIMITED_SEEDS)])
def test_a_fresh_seed_that_is_none_is_refused(shown: str) -> None:
    """It would be one of another family of worlds."""
    with pytest.raises(ValueError, match=f"{FRESH_VARIABLE}='{shown}'"):
        fresh({FRESH_VARIABLE: shown}, "")


@pytest.mark.long
def test_when_the_time_is_up_no_more_are_begun_and_what_was_played_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was begun is played to its end. Its processor time is that of all who play, alone or in processes.

    What a process spends before it plays, or another one spends, is not counted, and the clock does not matter.
    """
    monkeypatch.setattr(explore_module, "_CHUNK", 1)
    began_at = time.process_time()
    alone = play_many(range(BASE_SEED, BASE_SEED + 4))
    assert 0.0 < alone.processor_seconds <= time.process_time() - began_at
    together = explore(100, BASE_SEED, NO_FAULTS, 0.0)
    assert together.schedules == 2 * PROCESSES
    assert together.processor_seconds > 0.0, "others played, and said what it took"
    both = Summary()
    both.add(alone)
    both.add(together)
    assert both.processor_seconds == alone.processor_seconds + together.processor_seconds


def test_the_report_says_which_schedules_were_played_and_how_long_it_took() -> None:
    """By the processors, and by the clock; the fixed ones and the fresh ones."""
    findings = Findings()
    findings.played(Summary(schedules=300, processor_seconds=36.0), 20.0, FIXED)
    assert findings.text().startswith(
        "300 schedules in 36 s of processor time (20 s by the clock), 0 of them on the real server, too\n"
    )
    assert "  300 of 300 from seed 1 on: fixed\n" in findings.text()
    findings.played(Summary(schedules=350, processor_seconds=721.0), 340.0, Batch("fresh (today's)", 4711, 5_000))
    assert findings.text().startswith(
        "650 of 5,300 schedules in 757 s of processor time (360 s by the clock), 0 of them on the real server, too\n"
    )
    assert "  350 of 5,000 from seed 4711 on: fresh (today's)\n" in findings.text()


def test_a_world_that_is_closed_is_gone_at_once() -> None:
    """Its routes, and all that these lead to: to look for garbage took a fifteenth of a schedule."""
    gc.disable()
    try:
        with closing(VirtualLoop()) as loop:
            world = play(make_plan(BASE_SEED), loop)
            route = weakref.ref(world.hosts.of(0).whole().site.routes[-1])
            world.close()
            assert route() is None
    finally:
        gc.enable()


@pytest.mark.long
@pytest.mark.parametrize("waits", [False, True])
def test_hand_made_schedules_break_no_invariant(*, waits: bool) -> None:
    """Stories that seeds tell too seldom."""
    with closing(VirtualLoop()) as loop:
        violations = [play(plan, loop).violation for plan in directed(waits=waits).values()]
    assert list(filter(None, violations)) == []


@pytest.mark.long
def test_schedules_that_once_broke_an_invariant_break_none() -> None:
    """Each seed of regressions.py tells again the story that it is kept for."""
    summary = play_many(REGRESSIONS)
    assert not summary.failures, summary_of(summary, 0)
    assert summary.schedules > 0


@pytest.mark.long
@pytest.mark.parametrize(
    "first", [0, plan.WAITING_SEEDS, plan.PLANNING_SEEDS, plan.SESSION_SEEDS, plan.RETURNING_SEEDS]
)
def test_values_that_cannot_be_written_break_no_invariant(first: int) -> None:
    """Of tools, models and clients, under all faults."""
    first += plan.ODD_SEEDS + BASE_SEED
    summary = play_many(range(first, first + 8))
    assert not summary.failures, summary_of(summary, 0)


def test_events_of_one_key_have_one_job_under_all_faults() -> None:
    first = plan.ONCE_SEEDS + plan.SMALL_SEEDS + BASE_SEED
    summary = play_many(range(first, first + 8))
    assert not summary.failures, summary_of(summary, 0)


@pytest.mark.parametrize(
    ("first", "schedules"),
    [
        (plan.WORKFLOW_SEEDS + plan.WAITING_SEEDS + plan.SMALL_SEEDS, 4),
        (plan.SCRIPT_SEEDS + plan.APPROVING_SEEDS + plan.SMALL_SEEDS, 4),
        *(
            pytest.param(kind + family, 8, marks=pytest.mark.long)
            for kind in (plan.WORKFLOW_SEEDS, plan.SCRIPT_SEEDS)
            for family in (0, plan.WAITING_SEEDS, plan.APPROVING_SEEDS)
        ),
    ],
)
def test_workflows_and_scripts_end_as_their_code_says(first: int, schedules: int) -> None:
    """Under all faults, their code goes on with what its calls, waits, approvals and jobs below came to."""
    first += BASE_SEED
    summary = play_many(range(first, first + schedules))
    assert not summary.failures, summary_of(summary, 0)


@pytest.mark.parametrize(
    ("family", "schedules"),
    [(plan.SMALL_SEEDS, 4), *(pytest.param(family, 8, marks=pytest.mark.long) for family in (0, *OTHER_FAMILIES))],
)
def test_sealed_jobs_end_as_plain_ones_while_keys_rotate(family: int, schedules: int) -> None:
    """Under all faults, with processes at each step of a rotation, and failovers to what was sealed before."""
    first = plan.SEALED_SEEDS + family + BASE_SEED
    summary = play_many(range(first, first + schedules))
    assert not summary.failures, summary_of(summary, 0)


@pytest.mark.parametrize(
    ("family", "schedules"),
    [
        (plan.RETURNING_SEEDS + plan.SMALL_SEEDS, 8),
        *(
            pytest.param(family, 8, marks=pytest.mark.long)
            for family in (0, *OTHER_FAMILIES, plan.BACKGROUND_SEEDS, plan.LIMITED_SEEDS)
        ),
        pytest.param(plan.RETURNING_SEEDS + plan.SESSION_SEEDS, 16, marks=pytest.mark.long),
    ],
)
def test_records_name_objects_that_are_there_and_none_is_left(family: int, schedules: int) -> None:
    """Under all faults, where each task and each result is an object."""
    first = plan.OBJECT_SEEDS + family + BASE_SEED
    summary = play_many(range(first, first + schedules))
    assert not summary.failures, summary_of(summary, 0)


@pytest.mark.long
def test_without_faults_a_job_takes_no_message_too_many() -> None:
    """The bound on messages is exact where nothing goes wrong."""
    of_twenty = (plan.PLANNING_SEEDS, plan.STREAMING_SEEDS, plan.RETURNING_SEEDS)
    people = plan.PEOPLE_SEEDS + plan.APPROVING_SEEDS
    of_fifteen = (plan.APPROVING_SEEDS, people, plan.OFFLOADING_SEEDS, plan.CALL_LIMIT_SEEDS)
    first = ((BASE_SEED, 30), (plan.WAITING_SEEDS, 30), *product(of_twenty, [20]), *product(of_fifteen, [15]))
    summary = play_many(chain.from_iterable(range(seed, seed + count) for seed, count in first), NO_FAULTS)
    assert not summary.failures, summary_of(summary, 0)


@pytest.mark.parametrize("seeds", [STORY_SEEDS, pytest.param(MORE_STORY_SEEDS, marks=pytest.mark.long)])
def test_a_seed_gives_the_same_story_in_every_process(seeds: Sequence[int]) -> None:
    """Nothing but the seed goes in: no hash seed, no clock, no order of sets."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        for seed, elsewhere in zip(seeds, pool.map(whole_story, seeds), strict=True):
            story = whole_story(seed)
            assert elsewhere == story, seed
            assert len(story.splitlines()) > 20, seed


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
