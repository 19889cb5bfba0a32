"""What tools of a job are told about operations: those of its own tenant, no others.

Invariant: an operation of another tenant is as unknown as one that never was.
"""

from typing import Any

from baton.core.checkpoint import APPROVALS
from baton.core.transitions import CallStatus
from baton.ports import Reader
from baton.tools.tool_operations import NoOperations
from baton_events.ids import call_of_operation, job_of_call

_OVER = (CallStatus.COMPLETED, CallStatus.FAILED, CallStatus.CANCELLED)


class TenantOperations:
    """`ToolOperations` of one tenant."""

    def __init__(self, reader: Reader, tenant: str) -> None:
        self._reader = reader
        self._tenant = tenant

    async def status(self, operation_id: str) -> dict[str, Any]:
        """How far it is."""
        call_id = call_of_operation(operation_id)
        snapshot = await self._reader.job(job_of_call(call_id)) if call_id else None
        calls = snapshot.calls if snapshot and snapshot.job.tenant == self._tenant else ()
        call = next((call for call in calls if call.id == call_id and call.tool not in APPROVALS), None)
        if call is None or snapshot is None:
            return await NoOperations().status(operation_id)
        # What has come is recorded before it is taken in; a job that ended leaves its calls as they were.
        outcome = snapshot.results.get(call_id, {})
        done = bool(outcome) or call.status in _OVER or snapshot.job.ended
        told: dict[str, Any] = {
            "operationId": operation_id,
            "status": str(call.status),
            "done": done,
            "tool": call.tool,
        }
        if "ok" in outcome:
            told["result"] = outcome["ok"]
        elif "error" in outcome:
            told["error"] = outcome["error"]
        return told
