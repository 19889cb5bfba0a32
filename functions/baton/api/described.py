"""What each endpoint takes and answers, beyond its line in the table: the OpenAPI document is made from both.

Keyed by method and path. What is not listed takes no body and no query, and answers 200 with a JSON object.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel

from baton.api.agent_start import StartBody
from baton.api.approvals import ApprovalBody, RejectionBody
from baton.api.audit import AuditQuery
from baton.api.bulk_change import BulkBody
from baton.api.change_body import ChangeBody
from baton.api.chat_body import ChatBody
from baton.api.job_events import EventBody
from baton.api.job_query import JobQuery, PageQuery
from baton.api.schedule_body import PauseBody, ScheduleBody
from baton.api.session_path import SessionQuery
from baton.api.stream_token_api import StreamTokenBody
from baton.api.submit_body import SubmitBody
from baton.api.usage import UsageQuery
from baton.commands.completing import CompletionBody

# Each is a schema of the document, or what is no JSON: a stream of server-sent events, or text.
Answer = Literal[
    "AuditLog",
    "Bulk",
    "Checkpoint",
    "Checkpoints",
    "Completed",
    "Job",
    "Jobs",
    "Object",
    "Schedule",
    "Schedules",
    "Session",
    "Stream",
    "StreamToken",
    "TenantUsage",
    "Text",
    "Tools",
    "Worker",
    "Workflow",
]


@dataclass(frozen=True, slots=True)
class Described:
    """One endpoint.

    Attributes:
        statuses: of its success; 204 has no content.
        body_needed: False: the body may be left out.
    """

    body: type[BaseModel] | None = None
    answer: Answer = "Object"
    statuses: tuple[int, ...] = (200,)
    query: type[BaseModel] | None = None
    body_needed: bool = True


UNDESCRIBED = Described()
_JOBS, _SCHEDULES = "/api/agent-jobs", "/api/agent-schedules"
_CHECKPOINT = "/api/admin/agent-checkpoints/{checkpoint_id}"

DESCRIBED: Mapping[str, Described] = {
    f"POST {_JOBS}": Described(SubmitBody, "Job", (202,)),
    f"GET {_JOBS}": Described(answer="Jobs", query=PageQuery),
    f"GET {_JOBS}/{{job_id}}": Described(answer="Job", query=JobQuery),
    f"PATCH {_JOBS}/{{job_id}}": Described(ChangeBody, "Job"),
    f"DELETE {_JOBS}/{{job_id}}": Described(statuses=(204,)),
    f"POST {_JOBS}/{{job_id}}/events": Described(EventBody, statuses=(202,)),
    f"GET {_JOBS}/{{job_id}}/stream": Described(answer="Stream"),
    f"GET {_JOBS}/{{job_id}}/checkpoints": Described(answer="Checkpoints"),
    f"POST {_SCHEDULES}": Described(ScheduleBody, "Schedule", (201,)),
    f"GET {_SCHEDULES}": Described(answer="Schedules"),
    f"GET {_SCHEDULES}/{{schedule_id}}": Described(answer="Schedule"),
    f"PATCH {_SCHEDULES}/{{schedule_id}}": Described(PauseBody, "Schedule"),
    f"DELETE {_SCHEDULES}/{{schedule_id}}": Described(statuses=(204,)),
    f"POST {_CHECKPOINT}": Described(ApprovalBody, "Checkpoint", body_needed=False),
    f"DELETE {_CHECKPOINT}": Described(RejectionBody, "Checkpoint"),
    "GET /api/admin/agent-checkpoints": Described(answer="Checkpoints"),
    "POST /api/operations/{operation_id}/complete": Described(CompletionBody, "Completed"),
    "POST /api/chat": Described(ChatBody, "Stream"),
    "GET /api/chat/{session_id:path}/stream": Described(answer="Stream", statuses=(200, 204)),
    "POST /api/stream-tokens": Described(StreamTokenBody, "StreamToken"),
    "POST /api/agent/start": Described(StartBody, "Workflow", (202,)),
    "GET /api/sessions/{session_id:path}": Described(answer="Session", query=SessionQuery),
    "DELETE /api/sessions/{session_id:path}": Described(statuses=(204,)),
    "POST /api/admin/agent-jobs/bulk": Described(BulkBody, "Bulk"),
    "GET /api/admin/audit": Described(answer="AuditLog", query=AuditQuery),
    "GET /api/admin/agent-worker": Described(answer="Worker"),
    "POST /api/admin/agent-worker": Described(answer="Worker"),
    "DELETE /api/admin/agent-worker": Described(answer="Worker"),
    "GET /api/admin/usage": Described(answer="TenantUsage", query=UsageQuery),
    "GET /api/admin/tools": Described(answer="Tools"),
    "GET /api/metrics": Described(answer="Text"),
    "GET /healthz": Described(statuses=(200, 503)),
    "GET /readyz": Described(statuses=(200, 503)),
}
