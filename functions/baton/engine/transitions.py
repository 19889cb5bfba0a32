"""The steps that may move a status: a job's and a tool call's life as two tables (decisions/0003-pure-core).

The tables decide legality; decide fills in the content. An absent entry is an error and changes nothing. The diagrams
in docs/states.md are generated from these tables.
"""

from enum import StrEnum


class JobStatus(StrEnum):
    """A job's status. `pending`: not started yet; `waiting`: for a time or something outside, without using compute.

    `waiting` is never stored: it follows from the open work items (waits.py).
    """

    PENDING = "pending"
    PROCESSING = "processing"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class CallStatus(StrEnum):
    """A tool call's status. `retrying`: an attempt failed and another will follow."""

    QUEUED = "queued"
    RUNNING = "running"
    RETRYING = "retrying"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Step(StrEnum):
    """A step that moves a status."""

    TURN = "a turn begins or ends"
    ANSWER = "the model answers"
    FAIL = "no way on"
    CANCEL = "somebody cancels"
    WAIT = "only waits are left"
    RUN = "an attempt begins"
    REQUEST_APPROVAL = "a person is asked"
    APPROVE = "a person approves"
    RETURN = "the tool returns"
    ERROR = "an attempt fails"
    GIVE_UP = "no attempt is left"
    RETRY = "somebody retries the job"


END_STATUSES = frozenset({JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED})

JOB_TRANSITIONS: dict[tuple[JobStatus, Step], JobStatus] = {
    (JobStatus.PENDING, Step.TURN): JobStatus.PROCESSING,
    (JobStatus.PENDING, Step.ANSWER): JobStatus.COMPLETED,
    (JobStatus.PENDING, Step.FAIL): JobStatus.FAILED,
    (JobStatus.PENDING, Step.CANCEL): JobStatus.CANCELLED,
    (JobStatus.PROCESSING, Step.TURN): JobStatus.PROCESSING,
    (JobStatus.PROCESSING, Step.ANSWER): JobStatus.COMPLETED,
    (JobStatus.PROCESSING, Step.FAIL): JobStatus.FAILED,
    (JobStatus.PROCESSING, Step.CANCEL): JobStatus.CANCELLED,
    (JobStatus.COMPLETED, Step.RETRY): JobStatus.PENDING,
    (JobStatus.FAILED, Step.RETRY): JobStatus.PENDING,
    (JobStatus.CANCELLED, Step.RETRY): JobStatus.PENDING,
}

CALL_TRANSITIONS: dict[tuple[CallStatus, Step], CallStatus] = {
    (CallStatus.QUEUED, Step.RUN): CallStatus.RUNNING,
    (CallStatus.QUEUED, Step.REQUEST_APPROVAL): CallStatus.WAITING,
    (CallStatus.QUEUED, Step.GIVE_UP): CallStatus.FAILED,
    (CallStatus.QUEUED, Step.CANCEL): CallStatus.CANCELLED,
    (CallStatus.RUNNING, Step.RETURN): CallStatus.COMPLETED,
    (CallStatus.RUNNING, Step.ERROR): CallStatus.RETRYING,
    (CallStatus.RUNNING, Step.GIVE_UP): CallStatus.FAILED,
    (CallStatus.RUNNING, Step.WAIT): CallStatus.WAITING,
    (CallStatus.RUNNING, Step.REQUEST_APPROVAL): CallStatus.WAITING,
    (CallStatus.RUNNING, Step.CANCEL): CallStatus.CANCELLED,
    (CallStatus.RETRYING, Step.RUN): CallStatus.RUNNING,
    (CallStatus.RETRYING, Step.REQUEST_APPROVAL): CallStatus.WAITING,
    (CallStatus.RETRYING, Step.GIVE_UP): CallStatus.FAILED,
    (CallStatus.RETRYING, Step.CANCEL): CallStatus.CANCELLED,
    (CallStatus.WAITING, Step.RUN): CallStatus.RUNNING,
    (CallStatus.WAITING, Step.APPROVE): CallStatus.QUEUED,
    (CallStatus.WAITING, Step.RETURN): CallStatus.COMPLETED,
    (CallStatus.WAITING, Step.GIVE_UP): CallStatus.FAILED,
    (CallStatus.WAITING, Step.CANCEL): CallStatus.CANCELLED,
    (CallStatus.QUEUED, Step.RETRY): CallStatus.QUEUED,
    (CallStatus.RETRYING, Step.RETRY): CallStatus.QUEUED,
    (CallStatus.WAITING, Step.RETRY): CallStatus.QUEUED,
    (CallStatus.FAILED, Step.RETRY): CallStatus.QUEUED,
}


class IllegalTransitionError(Exception):
    """A step that the table does not allow; a defect of the caller, never bad input."""


def next_job_status(status: JobStatus, step: Step) -> JobStatus:
    """Return the job's status after `step`, or raise where the table does not allow it."""
    try:
        return JOB_TRANSITIONS[status, step]
    except KeyError:
        raise IllegalTransitionError(f"a {status} job takes no step {step.name}") from None


def next_call_status(status: CallStatus, step: Step) -> CallStatus:
    """Return the tool call's status after `step`, or raise where the table does not allow it."""
    try:
        return CALL_TRANSITIONS[status, step]
    except KeyError:
        raise IllegalTransitionError(f"a {status} tool call takes no step {step.name}") from None
