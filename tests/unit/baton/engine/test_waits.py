"""What a job waits for, in one line, and the status that this makes."""

import pytest
from msgspec.structs import replace

from baton.engine.all_jobs.slots import SlotState
from baton.engine.transitions import JobStatus
from baton.engine.waits import A_SLOT, status_and_wait
from baton.engine.work_items import ItemKind, WorkItem, loop_item, slot_request_item
from tests.unit.baton.engine.sample_state import HELD, JOB, NOW_MS, call_state, claimed

TURN = loop_item("job_1", 2, 1, NOW_MS)
PENDING = replace(JOB, status=JobStatus.PENDING, started_at_ms=None)
WITHOUT = SlotState("slot", 0, slot=False)


def free(kind: ItemKind, position: int = 0) -> WorkItem:
    """A work item of a tool call that nobody works on."""
    item = call_state(kind).item
    return replace(item, key=f"{item.key}{position}", owner="", lease_until_ms=0)


@pytest.mark.parametrize("status", [JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED])
def test_an_ended_job_waits_for_nothing(status: JobStatus) -> None:
    """Whatever is left of its work items."""
    assert status_and_wait(
        replace(JOB, status=status), [slot_request_item("job_1", "gone", 1, NOW_MS)], HELD, NOW_MS
    ) == (
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
    stale = replace(claimed(TURN), lease_until_ms=NOW_MS)
    assert status_and_wait(PENDING, [stale], HELD, NOW_MS) == (JobStatus.PENDING, "the model's turn 2")


@pytest.mark.parametrize(
    ("items", "line"),
    [
        ([free(ItemKind.CALL)], "tool read_file of turn 2"),
        ([free(ItemKind.COMPLETE)], "the result of tool read_file of turn 2 to be processed"),
        ([free(ItemKind.FAILED)], "the failure of tool read_file of turn 2 to be processed"),
        ([free(ItemKind.CALL), free(ItemKind.CALL, 1), free(ItemKind.CALL, 2)], "tool read_file of turn 2 and 2 more"),
        ([replace(TURN, attempt=3)], "the model's turn 2 (attempt 3)"),
    ],
)
def test_what_is_due_is_named(items: list[WorkItem], line: str) -> None:
    assert status_and_wait(JOB, items, HELD, NOW_MS) == (JobStatus.PROCESSING, line)


def test_what_somebody_works_on_is_named_before_what_is_due() -> None:
    items = [free(ItemKind.CALL), claimed(free(ItemKind.COMPLETE, 1))]
    assert status_and_wait(JOB, items, HELD, NOW_MS)[1] == "the result of tool read_file of turn 2 to be processed"


def test_a_job_that_only_waits_for_a_time_says_until_when() -> None:
    """The earliest; a new job is pending until then, an older one waiting."""
    first, second = replace(TURN, not_before_ms=NOW_MS + 60_000), replace(TURN, not_before_ms=NOW_MS + 90_000)
    line = "the model's turn 2, not before 2027-01-15T08:01:00.000Z"
    assert status_and_wait(JOB, [second, first], HELD, NOW_MS) == (JobStatus.WAITING, line)
    assert status_and_wait(PENDING, [second, first], HELD, NOW_MS) == (JobStatus.PENDING, line)


def test_a_job_that_asks_a_person_says_about_what() -> None:
    """The tool that may not run yet, and how long they have to decide."""
    requests = replace(free(ItemKind.WAIT), approval_of_call="job_1-2-0-a", not_before_ms=NOW_MS + 60_000)
    line = "a decision about tool read_file of turn 2, until 2027-01-15T08:01:00.000Z"
    assert status_and_wait(JOB, [requests], WITHOUT, NOW_MS) == (JobStatus.WAITING, line)


def test_a_job_without_a_slot_waits_for_one() -> None:
    """A new job is pending, one that ran before is waiting; its slot request is not what people want to read."""
    items = [TURN, slot_request_item("job_1", "slot", 0, NOW_MS)]
    assert status_and_wait(PENDING, items, WITHOUT, NOW_MS) == (JobStatus.PENDING, A_SLOT)
    assert status_and_wait(JOB, items, WITHOUT, NOW_MS) == (JobStatus.WAITING, A_SLOT)


def test_a_result_is_taken_in_without_a_slot() -> None:
    found = status_and_wait(JOB, [free(ItemKind.COMPLETE), free(ItemKind.CALL, 1)], WITHOUT, NOW_MS)
    assert found == (JobStatus.PROCESSING, "the result of tool read_file of turn 2 to be processed and 1 more")


def test_a_call_over_a_limit_names_it() -> None:
    limited = replace(free(ItemKind.CALL), limited_by="crm")
    line = "the limit 'crm' for tool read_file of turn 2"
    assert status_and_wait(JOB, [limited], HELD, NOW_MS) == (JobStatus.WAITING, line)
    assert status_and_wait(JOB, [free(ItemKind.CALL, 1), limited], HELD, NOW_MS) == (JobStatus.PROCESSING, line)


def test_every_job_that_has_not_ended_says_something() -> None:
    """Even one whose work items were lost."""
    assert status_and_wait(JOB, [], HELD, NOW_MS)[1]
    assert status_and_wait(JOB, [slot_request_item("job_1", "none", 1, NOW_MS)], HELD, NOW_MS)[1]
