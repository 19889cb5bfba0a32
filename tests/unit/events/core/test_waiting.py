"""What a job waits for, in one line, and the status that this makes."""

import pytest
from msgspec.structs import replace

from baton.core.admission import Standing
from baton.core.legs import Leg, LegKind, loop_leg, wish_leg
from baton.core.transitions import JobStatus
from baton.core.waiting import A_SLOT, status_and_wait
from tests.unit.events.core.sample_state import HELD, JOB, NOW_MS, call_state, claimed

TURN = loop_leg("job_1", 2, 1, NOW_MS)
PENDING = replace(JOB, status=JobStatus.PENDING, started_at_ms=None)
WITHOUT = Standing("slot", 0, slot=False)


def free(kind: LegKind, position: int = 0) -> Leg:
    """A leg of a tool call that nobody works on."""
    leg = call_state(kind).leg
    return replace(leg, key=f"{leg.key}{position}", owner="", lease_until_ms=0)


@pytest.mark.parametrize("status", [JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED])
def test_an_ended_job_waits_for_nothing(status: JobStatus) -> None:
    """Whatever is left of its legs."""
    assert status_and_wait(replace(JOB, status=status), [wish_leg("job_1", "gone", 1, NOW_MS)], HELD, NOW_MS) == (
        status,
        None,
    )


@pytest.mark.parametrize("job", [PENDING, JOB])
def test_a_job_that_somebody_works_on_is_processing(job: object) -> None:
    """The first time, too, although that is not stored before the turn ends."""
    assert job in (PENDING, JOB)
    chosen = PENDING if job is PENDING else JOB
    found = status_and_wait(chosen, [claimed(TURN)], HELD, NOW_MS)
    assert found == (JobStatus.PROCESSING, "the model's turn 2")


def test_a_claim_whose_lease_is_over_is_no_work() -> None:
    """Whoever held it is gone."""
    stale = replace(claimed(TURN), lease_until_ms=NOW_MS)
    assert status_and_wait(PENDING, [stale], HELD, NOW_MS) == (JobStatus.PENDING, "the model's turn 2")


@pytest.mark.parametrize(
    ("legs", "line"),
    [
        ([free(LegKind.CALL)], "tool read_file of turn 2"),
        ([free(LegKind.COMPLETE)], "the result of tool read_file of turn 2 to be taken in"),
        ([free(LegKind.FAILED)], "the failure of tool read_file of turn 2 to be taken in"),
        ([free(LegKind.CALL), free(LegKind.CALL, 1), free(LegKind.CALL, 2)], "tool read_file of turn 2 and 2 more"),
        ([replace(TURN, attempt=3)], "the model's turn 2 (attempt 3)"),
    ],
)
def test_what_is_due_is_named(legs: list[Leg], line: str) -> None:
    """The first by name, the others by number."""
    assert status_and_wait(JOB, legs, HELD, NOW_MS) == (JobStatus.PROCESSING, line)


def test_what_somebody_works_on_is_named_before_what_is_due() -> None:
    """It is what takes the time."""
    legs = [free(LegKind.CALL), claimed(free(LegKind.COMPLETE, 1))]
    assert status_and_wait(JOB, legs, HELD, NOW_MS)[1] == "the result of tool read_file of turn 2 to be taken in"


def test_a_job_that_only_waits_for_a_time_says_until_when() -> None:
    """The earliest; a new job is pending until then, an older one waiting."""
    first, second = replace(TURN, not_before_ms=NOW_MS + 60_000), replace(TURN, not_before_ms=NOW_MS + 90_000)
    line = "the model's turn 2, not before 2027-01-15T08:01:00.000Z"
    assert status_and_wait(JOB, [second, first], HELD, NOW_MS) == (JobStatus.WAITING, line)
    assert status_and_wait(PENDING, [second, first], HELD, NOW_MS) == (JobStatus.PENDING, line)


def test_a_job_that_asks_a_person_says_about_what() -> None:
    """The tool that may not run yet, and how long they have to decide."""
    asks = replace(free(LegKind.WAIT), asks_for="job_1-2-0-a", not_before_ms=NOW_MS + 60_000)
    line = "a decision about tool read_file of turn 2, until 2027-01-15T08:01:00.000Z"
    assert status_and_wait(JOB, [asks], WITHOUT, NOW_MS) == (JobStatus.WAITING, line)


def test_a_job_without_a_slot_waits_for_one() -> None:
    """A new job is pending, one that ran before is waiting; its wish is not what people want to read."""
    legs = [TURN, wish_leg("job_1", "slot", 0, NOW_MS)]
    assert status_and_wait(PENDING, legs, WITHOUT, NOW_MS) == (JobStatus.PENDING, A_SLOT)
    assert status_and_wait(JOB, legs, WITHOUT, NOW_MS) == (JobStatus.WAITING, A_SLOT)


def test_a_result_is_taken_in_without_a_slot() -> None:
    """So a job with one to take in does not wait for a slot."""
    found = status_and_wait(JOB, [free(LegKind.COMPLETE), free(LegKind.CALL, 1)], WITHOUT, NOW_MS)
    assert found == (JobStatus.PROCESSING, "the result of tool read_file of turn 2 to be taken in and 1 more")


def test_every_job_that_has_not_ended_says_something() -> None:
    """Even one whose legs were lost."""
    assert status_and_wait(JOB, [], HELD, NOW_MS)[1]
    assert status_and_wait(JOB, [wish_leg("job_1", "none", 1, NOW_MS)], HELD, NOW_MS)[1]
