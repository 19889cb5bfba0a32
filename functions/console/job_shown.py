"""A job as its page shows it: what the API shows, whose it is, and what it asks people."""

from typing import Any

from events.ports import Snapshot
from functions.api.approval_view import approvals_of
from functions.api.job_view import job_view


def job_shown(snapshot: Snapshot, now_ms: int) -> dict[str, Any]:
    """The job. `ended`: nothing comes any more; `asks`: the approvals that wait for a decision."""
    return job_view(snapshot, now_ms) | {
        "tenant": snapshot.job.tenant,
        "ended": snapshot.job.ended,
        "asks": [view for view in approvals_of(snapshot) if view["status"] == "pending"],
    }
