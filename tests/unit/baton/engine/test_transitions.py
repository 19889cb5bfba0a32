"""Which step may move which status: every pair is in the table or an error."""

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


def test_an_end_is_an_end() -> None:
    """Only a retry leads out of it."""
    assert {status.value for status in END_STATUSES} == {"completed", "failed", "cancelled"}
    out = [step for status, step in JOB_TRANSITIONS if status in END_STATUSES]
    assert out == [Step.RETRY] * len(END_STATUSES)
    assert [step for status, step in CALL_TRANSITIONS if status in CALL_ENDS] == [Step.RETRY]


@pytest.mark.parametrize("step", Step)
def test_a_job_or_a_call_takes_the_steps_of_its_table_and_no_other(step: Step) -> None:
    for status in JobStatus:
        if (status, step) in JOB_TRANSITIONS:
            assert next_job_status(status, step) is JOB_TRANSITIONS[status, step]
        else:
            with pytest.raises(IllegalTransitionError, match=f"a {status} job takes no step {step.name}"):
                next_job_status(status, step)
    for call_status in CallStatus:
        if (call_status, step) in CALL_TRANSITIONS:
            assert next_call_status(call_status, step) is CALL_TRANSITIONS[call_status, step]
        else:
            with pytest.raises(IllegalTransitionError, match=f"a {call_status} tool call takes no step {step.name}"):
                next_call_status(call_status, step)


def test_whatever_lives_can_fail_and_be_cancelled() -> None:
    """Whatever it does or waits for, so that no job hangs on a call."""
    for status in (JobStatus.PENDING, JobStatus.PROCESSING):  # a job that waits is stored as one of them
        assert next_job_status(status, Step.FAIL) is JobStatus.FAILED
        assert next_job_status(status, Step.CANCEL) is JobStatus.CANCELLED
    for call_status in set(CallStatus) - CALL_ENDS:
        assert next_call_status(call_status, Step.GIVE_UP) is CallStatus.FAILED
        assert next_call_status(call_status, Step.CANCEL) is CallStatus.CANCELLED
