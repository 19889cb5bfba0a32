"""The state diagrams of docs/states.md, from the tables in `baton.core.transitions`. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from baton.core.transitions import CALL_TRANSITIONS, JOB_TRANSITIONS, CallStatus, JobStatus, Step

Status = TypeVar("Status", bound=StrEnum)


def job_diagram() -> str:
    """Return a job's life."""
    return _diagram(JobStatus.PENDING, JOB_TRANSITIONS)


def call_diagram() -> str:
    """Return a tool call's life."""
    return _diagram(CallStatus.QUEUED, CALL_TRANSITIONS)


def _diagram(first: Status, transitions: Mapping[tuple[Status, Step], Status]) -> str:
    lines = [f"{before} --> {after}: {step}" for (before, step), after in transitions.items()]
    leaving = {before for before, _ in transitions}
    ends = dict.fromkeys(after for after in transitions.values() if after not in leaving)
    lines = [f"[*] --> {first}", *lines, *(f"{end} --> [*]" for end in ends)]
    return "\n".join(["```mermaid", "stateDiagram-v2", *(f"    {line}" for line in lines), "```"])
