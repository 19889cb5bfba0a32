"""What each endpoint takes and answers, beyond its line in the table: the OpenAPI document is made from both.

Keyed by method and path. What is not listed takes no body and no query, and answers 200 with a JSON object.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel

from functions.api.agent_start import StartBody
from functions.api.approvals import ApprovalBody, RejectionBody
from functions.api.audit import AuditQuery
from functions.api.bulk_change import BulkBody
from functions.api.change_body import ChangeBody
from functions.api.chat_body import ChatBody
from functions.api.job_events import EventBody
from functions.api.job_query import PageQuery
from functions.api.schedule_body import PauseBody, ScheduleBody
from functions.api.session_path import SessionQuery
from functions.api.stream_token_api import StreamTokenBody
from functions.api.submit_body import SubmitBody
from functions.completing import CompletionBody

# Each is a schema of the document, or what is no JSON: a stream of server-sent events, or text.
Answer = Literal["Object", "Job", "Jobs", "Stream", "Text"]


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
    f"GET {_JOBS}/{{job_id}}": Described(answer="Job"),
    f"PATCH {_JOBS}/{{job_id}}": Described(ChangeBody, "Job"),
    f"DELETE {_JOBS}/{{job_id}}": Described(statuses=(204,)),
    f"POST {_JOBS}/{{job_id}}/events": Described(EventBody, statuses=(202,)),
    f"GET {_JOBS}/{{job_id}}/stream": Described(answer="Stream"),
    f"POST {_SCHEDULES}": Described(ScheduleBody, statuses=(201,)),
    f"PATCH {_SCHEDULES}/{{schedule_id}}": Described(PauseBody),
    f"DELETE {_SCHEDULES}/{{schedule_id}}": Described(statuses=(204,)),
    f"POST {_CHECKPOINT}": Described(ApprovalBody, body_needed=False),
    f"DELETE {_CHECKPOINT}": Described(RejectionBody),
    "POST /api/operations/{operation_id}/complete": Described(CompletionBody),
    "POST /api/chat": Described(ChatBody, "Stream"),
    "GET /api/chat/{session_id:path}/stream": Described(answer="Stream", statuses=(200, 204)),
    "POST /api/stream-tokens": Described(StreamTokenBody),
    "POST /api/agent/start": Described(StartBody, statuses=(202,)),
    "GET /api/sessions/{session_id:path}": Described(query=SessionQuery),
    "POST /api/admin/agent-jobs/bulk": Described(BulkBody),
    "GET /api/admin/audit": Described(query=AuditQuery),
    "GET /api/metrics": Described(answer="Text"),
}
