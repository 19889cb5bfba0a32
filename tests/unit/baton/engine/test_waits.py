"""What a job waits for, in one line, and the status that this makes."""

import pytest
from msgspec.structs import replace

from baton.engine.all_jobs.slots import SlotState
from baton.engine.state import Job
from baton.engine.transitions import JobStatus
from baton.engine.waits import A_SLOT, status_and_wait
from baton.engine.work_items import ItemKind, WorkItem, loop_item, slot_request_item
from baton.sdk.records.transcript import ModelPolicy
from tests.unit.baton.engine.sample_state import HELD, NOW_MS, call_state, claimed
from tests.unit.baton.engine.sample_state import JOB as PLANNED

TURN = loop_item("job_1", 2, 1, NOW_MS)
JOB = replace(PLANNED, model=ModelPolicy(name="scripted"))
PENDING = replace(JOB, status=JobStatus.PENDING, started_at_ms=None)
WITHOUT = SlotState("slot", 0, slot=False)


def free(kind: ItemKind, position: int = 0) -> WorkItem:
    item = call_state(kind).item
    return replace(item, key=f"{item.key}{position}", owner="", lease_until_ms=0)


STALE = replace(claimed(TURN), lease_until_ms=NOW_MS)
GONE = slot_request_item("job_1", "gone", 1, NOW_MS)
IN_LINE = [TURN, slot_request_item("job_1", "slot", 0, NOW_MS)]
LATER = [replace(TURN, not_before_ms=NOW_MS + 90_000), replace(TURN, not_before_ms=NOW_MS + 60_000)]
NOT_YET = "the model's turn 2, not before 2027-01-15T08:01:00.000Z"
QUESTION = replace(free(ItemKind.WAIT), approval_of_call="job_1-2-0-a", not_before_ms=NOW_MS + 60_000)
GIVEN_UP = "the failure of tool read_file to be processed"
TAKEN_IN = "the result of tool read_file to be processed"
LIMITED, LIMIT = replace(free(ItemKind.CALL), limited_by="limit 'crm'"), "the limit 'crm' for tool read_file"
NEXT_DAY = "the budget 'k' for turn 2, until 2027-01-15T08:01:00.000Z"
AT_WORK = [free(ItemKind.CALL), claimed(free(ItemKind.COMPLETE, 1))]
THREE = [free(ItemKind.CALL), free(ItemKind.CALL, 1), free(ItemKind.CALL, 2)]


@pytest.mark.parametrize(
    ("job", "items", "slot_state", "status", "line"),
    [
        pytest.param(replace(JOB, status=JobStatus.FAILED), [GONE], HELD, "failed", None, id="ended"),
        pytest.param(PENDING, [claimed(TURN)], HELD, "processing", "the model's turn 2, at work", id="the first work"),
        pytest.param(JOB, [claimed(TURN)], HELD, "processing", "the model's turn 2, at work", id="at work"),
        pytest.param(PENDING, [STALE], HELD, "pending", "the model's turn 2", id="a lease that is over is no work"),
        pytest.param(JOB, [free(ItemKind.COMPLETE)], HELD, "processing", TAKEN_IN, id="a result is due"),
        pytest.param(JOB, [free(ItemKind.FAILED)], HELD, "processing", GIVEN_UP, id="a failure is due"),
        pytest.param(JOB, THREE, HELD, "processing", "tool read_file and 2 more", id="several are due"),
        pytest.param(
            JOB, [replace(TURN, attempt=3)], HELD, "processing", "the model's turn 2 (attempt 3)", id="another attempt"
        ),
        pytest.param(
            JOB, AT_WORK, HELD, "processing", f"{TAKEN_IN}, at work", id="what is worked on comes before what is due"
        ),
        pytest.param(JOB, LATER, HELD, "waiting", NOT_YET, id="until the earliest time"),
        pytest.param(PENDING, LATER, HELD, "pending", NOT_YET, id="a new job until then"),
        pytest.param(
            JOB,
            [QUESTION],
            WITHOUT,
            "waiting",
            "a decision about tool read_file, until 2027-01-15T08:01:00.000Z",
            id="a person is asked",
        ),
        pytest.param(PENDING, IN_LINE, WITHOUT, "pending", A_SLOT, id="a new job without a slot"),
        pytest.param(JOB, IN_LINE, WITHOUT, "waiting", A_SLOT, id="an older one without a slot"),
        pytest.param(
            JOB,
            [free(ItemKind.COMPLETE), free(ItemKind.CALL, 1)],
            WITHOUT,
            "processing",
            f"{TAKEN_IN} and 1 more",
            id="a result is taken in without a slot",
        ),
        pytest.param(JOB, [LIMITED], HELD, "waiting", LIMIT, id="over a limit"),
        pytest.param(JOB, [replace(LATER[1], limited_by="budget 'k'")], HELD, "waiting", NEXT_DAY, id="over a budget"),
        pytest.param(JOB, [free(ItemKind.CALL, 1), LIMITED], HELD, "processing", LIMIT, id="one of two over a limit"),
    ],
)
def test_what_a_job_waits_for(
    job: Job, items: list[WorkItem], slot_state: SlotState, status: str, line: str | None
) -> None:
    assert status_and_wait(job, items, slot_state, NOW_MS) == (status, line)


def test_every_job_that_has_not_ended_says_something() -> None:
    """Even one whose work items were lost."""
    assert status_and_wait(JOB, [], HELD, NOW_MS)[1]
    assert status_and_wait(JOB, [slot_request_item("job_1", "none", 1, NOW_MS)], HELD, NOW_MS)[1]
