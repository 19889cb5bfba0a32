"""Which step may move which status: every pair is in the table or an error."""

import itertools

import pytest

from baton.engine.transitions import (
    CALL_TRANSITIONS,
    END_STATUSES,
    JOB_TRANSITIONS,
    CallStatus,
    IllegalTransitionError,
    JobStatus,
    Step,
    next_call_status,
    next_job_status,
)

CALL_ENDS = {CallStatus.COMPLETED, CallStatus.FAILED, CallStatus.CANCELLED}


@pytest.mark.parametrize(("status", "step"), list(itertools.product(JobStatus, Step)))
def test_a_job_takes_the_steps_of_its_table_and_no_other(status: JobStatus, step: Step) -> None:
    if (status, step) in JOB_TRANSITIONS:
        assert next_job_status(status, step) is JOB_TRANSITIONS[status, step]
        return
    with pytest.raises(IllegalTransitionError, match=f"a {status} job takes no step {step.name}"):
        next_job_status(status, step)


@pytest.mark.parametrize(("status", "step"), list(itertools.product(CallStatus, Step)))
def test_a_tool_call_takes_the_steps_of_its_table_and_no_other(status: CallStatus, step: Step) -> None:
    if (status, step) in CALL_TRANSITIONS:
        assert next_call_status(status, step) is CALL_TRANSITIONS[status, step]
        return
    with pytest.raises(IllegalTransitionError, match=f"a {status} tool call takes no step {step.name}"):
        next_call_status(status, step)


def test_an_end_is_an_end() -> None:
    """Only a retry leads out of it."""
    assert {status.value for status in END_STATUSES} == {"completed", "failed", "cancelled"}
    out = [step for status, step in JOB_TRANSITIONS if status in END_STATUSES]
    assert out == [Step.RETRY] * len(END_STATUSES)
    assert [step for status, step in CALL_TRANSITIONS if status in CALL_ENDS] == [Step.RETRY]


@pytest.mark.parametrize("status", [status for status in JobStatus if status not in END_STATUSES])
def test_every_live_job_can_fail_and_be_cancelled(status: JobStatus) -> None:
    """Whatever it does or waits for."""
    assert next_job_status(status, Step.FAIL) is JobStatus.FAILED
    assert next_job_status(status, Step.CANCEL) is JobStatus.CANCELLED


@pytest.mark.parametrize("status", [status for status in CallStatus if status not in CALL_ENDS])
def test_every_live_tool_call_can_be_given_up_and_cancelled(status: CallStatus) -> None:
    """So that no job hangs on one."""
    assert next_call_status(status, Step.GIVE_UP) is CallStatus.FAILED
    assert next_call_status(status, Step.CANCEL) is CallStatus.CANCELLED


def reachable(start: str, table: dict[tuple[str, str], str]) -> set[str]:
    """Every status that some steps lead to."""
    found = {start}
    while True:
        more = {to for (status, _), to in table.items() if status in found} - found
        if not more:
            return found
        found |= more


def test_every_status_can_be_reached_from_the_first() -> None:
    jobs = {(str(status), str(step)): str(to) for (status, step), to in JOB_TRANSITIONS.items()}
    calls = {(str(status), str(step)): str(to) for (status, step), to in CALL_TRANSITIONS.items()}
    assert reachable("pending", jobs) == {status.value for status in JobStatus}
    assert reachable("queued", calls) == {status.value for status in CallStatus}
