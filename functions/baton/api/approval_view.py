"""The approvals that a job has asked for, as people see them."""

from typing import Any

from baton.core.checkpoint import APPROVALS, approval_view
from baton.core.state import CallRecord
from baton.ports import Snapshot


def questions_of(snapshot: Snapshot) -> list[CallRecord]:
    """What a job has asked, in order."""
    return [call for call in snapshot.calls if call.tool in APPROVALS]


def view_of(asked: CallRecord, snapshot: Snapshot) -> dict[str, Any]:
    """One of its questions, with what became of it."""
    return approval_view(asked, snapshot.job.id, snapshot.results.get(asked.id, {}), ended=snapshot.job.ended)


def approvals_of(snapshot: Snapshot) -> list[dict[str, Any]]:
    """All of them, in order."""
    return [view_of(asked, snapshot) for asked in questions_of(snapshot)]
