"""A job as its page shows it: what the API shows, whose it is, and what it asks people."""

from typing import Any

from baton.api.approval_view import approvals_of
from baton.api.job_view import job_view
from baton.configuration.prices import Prices
from baton.ports import Snapshot

NEWEST_CALLS = 20
_EVERY_RESULT = 2**40  # a page cuts each of them by itself


def job_shown(snapshot: Snapshot, now_ms: int, prices: Prices) -> dict[str, Any]:
    """The job. `ended`: nothing comes any more; `asks`: the approvals that wait for a decision."""
    return job_view(snapshot, now_ms, prices, _EVERY_RESULT) | {
        "tenant": snapshot.job.tenant,
        "ended": snapshot.job.ended,
        "asks": [view for view in approvals_of(snapshot) if view["status"] == "pending"],
    }


def calls_shown(job: dict[str, Any]) -> list[dict[str, Any]]:
    """The newest tool calls of a job that may have thousands, and all that are not over, in order."""
    calls: list[dict[str, Any]] = job["toolCalls"]
    older = [call for call in calls[:-NEWEST_CALLS] if call["finishedAt"] is None]
    return [*older[-NEWEST_CALLS:], *calls[-NEWEST_CALLS:]]
