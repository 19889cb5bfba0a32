"""`GET /openapi.json`: the API as an OpenAPI 3.1 document, made from the table of routes and the bodies it parses.

`DESCRIBED` has each endpoint's bodies and answers, by method and path; an endpoint that is not listed takes no body and
no query, and answers 200 with a JSON object. Invariant: the document has exactly the lines of the table.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.sdk.distribution import DISTRIBUTION
from baton.server.api.admin.budgets import BudgetBody, BudgetsQuery, ClearQuery
from baton.server.api.admin.control import WorkerBody
from baton.server.api.admin.subjects import SubjectQuery
from baton.server.api.admin.usage import UsageQuery
from baton.server.api.admin.versions import VersionsQuery
from baton.server.api.app_events import AppEventBody
from baton.server.api.audit import AuditQuery
from baton.server.api.jobs.approval_links import LinkBody
from baton.server.api.jobs.approvals import ApprovalBody, ListQuery, RejectionBody
from baton.server.api.jobs.bulk_change import BulkBody
from baton.server.api.jobs.fork import ForkBody
from baton.server.api.jobs.job import ChangeBody
from baton.server.api.jobs.other_starts import StartBody
from baton.server.api.jobs.query import JobQuery, PageQuery
from baton.server.api.jobs.scores import ScoreBody
from baton.server.api.jobs.signals import EventBody
from baton.server.api.jobs.submission import SubmitBody
from baton.server.api.route import ApiRoute
from baton.server.api.schedules import ScheduleBody, ScheduleChange
from baton.server.api.sessions.chat import ChatBody
from baton.server.api.sessions.sessions import SessionQuery
from baton.server.api.stream import StreamTokenBody
from baton.server.protocols.ag_ui.body import RunAgentInput
from baton.server.protocols.chat_aliases import OperationCompleteBody, SessionsQuery, StreamChatBody
from baton.server.protocols.mcp.body import RpcMessage
from baton.worker.commands.completion_body import CompletionBody


@dataclass(frozen=True, slots=True)
class Described:
    """One endpoint.

    `answer`: a schema of the document, or one of `_MEDIA`. `statuses`: of its success; 204 has no content.
    `body_needed`: False: the body may be left out.
    """

    body: type[BaseModel] | None = None
    answer: str = "Object"
    statuses: tuple[int, ...] = (200,)
    query: type[BaseModel] | None = None
    body_needed: bool = True


UNDESCRIBED = Described()
_JOBS, _SCHEDULES = "/api/agent-jobs", "/api/agent-schedules"
_CHAT_SESSION = "/api/chat/sessions/{session_id:any}"
_CHECKPOINT = "/api/admin/agent-checkpoints/{checkpoint_id}"

DESCRIBED: Mapping[str, Described] = {
    f"POST {_JOBS}": Described(SubmitBody, "Submitted", (202,)),
    f"GET {_JOBS}": Described(answer="Jobs", query=PageQuery),
    f"GET {_JOBS}/{{job_id}}": Described(answer="Job", query=JobQuery),
    f"PATCH {_JOBS}/{{job_id}}": Described(ChangeBody, "Job"),
    f"DELETE {_JOBS}/{{job_id}}": Described(statuses=(204,)),
    f"POST {_JOBS}/{{job_id}}/events": Described(EventBody, statuses=(202,)),
    f"GET {_JOBS}/{{job_id}}/stream": Described(answer="Stream"),
    f"GET {_JOBS}/{{job_id}}/results/{{call_id}}": Described(answer="Result", statuses=(200, 206, 307)),
    f"GET {_JOBS}/{{job_id}}/model-messages": Described(answer="ModelMessages"),
    f"GET {_JOBS}/{{job_id}}/checkpoints": Described(answer="Checkpoints"),
    f"POST {_JOBS}/{{job_id}}/scores": Described(ScoreBody, "Score", (201,)),
    f"POST {_JOBS}/{{job_id}}/fork": Described(ForkBody, "Job", (202,)),
    f"GET {_JOBS}/{{job_id}}/diff/{{other_id}}": Described(answer="Diff"),
    "POST /api/events": Described(AppEventBody, statuses=(202,)),
    f"POST {_SCHEDULES}": Described(ScheduleBody, "Schedule", (201,)),
    f"GET {_SCHEDULES}": Described(answer="Schedules"),
    f"GET {_SCHEDULES}/{{schedule_id}}": Described(answer="Schedule"),
    f"PATCH {_SCHEDULES}/{{schedule_id}}": Described(ScheduleChange, "Schedule"),
    f"DELETE {_SCHEDULES}/{{schedule_id}}": Described(statuses=(204,)),
    f"POST {_CHECKPOINT}": Described(ApprovalBody, "Checkpoint", body_needed=False),
    f"DELETE {_CHECKPOINT}": Described(RejectionBody, "Checkpoint", body_needed=False),
    f"POST {_CHECKPOINT}/links": Described(LinkBody, "Link", (201,), body_needed=False),
    "GET /api/admin/agent-checkpoints": Described(answer="Checkpoints", query=ListQuery),
    "POST /api/operations/{operation_id}/complete": Described(CompletionBody, "Completed"),
    "POST /api/chat": Described(ChatBody, "Stream", (200, 202)),
    "GET /api/chat/{session_id:any}/stream": Described(answer="Stream", statuses=(200, 204)),
    "GET /api/chat/sessions": Described(query=SessionsQuery),
    f"POST {_CHAT_SESSION}/stream": Described(StreamChatBody, "Stream"),
    f"GET {_CHAT_SESSION}/stream": Described(answer="Stream", statuses=(200, 204)),
    f"GET {_CHAT_SESSION}": Described(query=SessionQuery),
    f"DELETE {_CHAT_SESSION}": Described(statuses=(204,)),
    "GET /api/chat/tasks/{job_id}/stream": Described(answer="Stream"),
    "POST /api/chat/operations/{operation_id}/complete": Described(OperationCompleteBody),
    "POST /api/ag-ui/{agent}": Described(RunAgentInput, "Stream"),
    "POST /a2a/{agent}": Described(answer="Call"),
    "POST /mcp": Described(RpcMessage, "Call", statuses=(200, 202, 400, 404)),
    "POST /api/stream-tokens": Described(StreamTokenBody, "StreamToken"),
    "POST /api/agent/start": Described(StartBody, "Workflow", (202,)),
    "GET /api/sessions/{session_id:any}": Described(answer="Session", query=SessionQuery),
    "GET /api/sessions/{session_id:any}/stream": Described(answer="Stream"),
    "GET /api/sessions/{session_id:any}/files/{name}": Described(answer="File"),
    "DELETE /api/sessions/{session_id:any}": Described(statuses=(204,)),
    "POST /api/admin/agent-jobs/bulk": Described(BulkBody, "Bulk"),
    "GET /api/admin/audit": Described(answer="AuditLog", query=AuditQuery),
    "GET /api/admin/budgets": Described(answer="Budgets", query=BudgetsQuery),
    "PUT /api/admin/budgets/{key:any}": Described(BudgetBody, "Budget"),
    "DELETE /api/admin/budgets/{key:any}": Described(statuses=(204,), query=ClearQuery),
    "DELETE /api/admin/subjects/{subject_id:any}": Described(answer="Erased", query=SubjectQuery),
    "GET /api/admin/agent-worker": Described(answer="Worker"),
    "POST /api/admin/agent-worker": Described(WorkerBody, "Worker", body_needed=False),
    "DELETE /api/admin/agent-worker": Described(answer="Worker"),
    "GET /api/admin/agents/{agent}/versions": Described(query=VersionsQuery),
    "GET /api/admin/usage": Described(answer="TenantUsage", query=UsageQuery),
    "GET /api/admin/tools": Described(answer="Tools"),
    "GET /api/metrics": Described(answer="Text"),
    "GET /healthz": Described(statuses=(200, 503)),
    "GET /readyz": Described(statuses=(200, 503)),
}


_REF = "#/components/schemas/{model}"
_PARAMETER = re.compile(r"\{(\w+)(:any)?\}")
_BYTES = "application/octet-stream"
_MEDIA = {"Call": "text/event-stream", "File": "*/*", "Result": _BYTES, "Stream": "text/event-stream"}
_MEDIA |= {"Text": "text/plain"}
_BEARER, _OPERATIONS, _TOKEN = "bearer", "operations", "token"
_SECURITY: dict[str, list[dict[str, list[str]]]] = {
    "open": [],
    "client": [{_BEARER: []}],
    "run": [{_BEARER: []}],
    "stream": [{_BEARER: []}, {_TOKEN: []}],
    "admin": [{_BEARER: []}],
    "metrics": [{_BEARER: []}, {}],
    "operations": [{_OPERATIONS: []}],
    "self": [{_BEARER: []}, {}],
}
_SCHEMES = {
    _TOKEN: {
        "type": "apiKey",
        "in": "query",
        "name": "token",
        "description": "a short-lived token from `POST /api/stream-tokens`",
    },
    _BEARER: {
        "type": "http",
        "scheme": "bearer",
        "description": "a key from `baton keys create`: a client's for its tenant, an admin's for everything",
    },
    _OPERATIONS: {
        "type": "apiKey",
        "in": "header",
        "name": "x-api-key",
        "description": "the setting OPERATIONS_API_KEY: for what completes operations from outside",
    },
}
_PROBLEM = {
    "description": "the problem, as RFC 9457 describes it: 400, 401, 403, 404, 405, 409, 410, 413, 422, 429, 500, 503",
    "headers": {"Retry-After": {"description": "seconds, with 429 and 503", "schema": {"type": "integer"}}},
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def document_of(table: Sequence[ApiRoute], server_url: str) -> dict[str, Any]:
    from baton.server.api.schemas import SCHEMAS  # noqa: PLC0415 - few ask for it

    paths: dict[str, dict[str, Any]] = {}
    for route in table:
        paths.setdefault(_PARAMETER.sub(r"{\1}", route.path), {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Baton", "version": version(DISTRIBUTION), "description": "Durable AI agents: their API."},
        **({"servers": [{"url": server_url}]} if server_url else {}),
        "paths": paths,
        "components": {"schemas": SCHEMAS | _body_schemas(), "securitySchemes": _SCHEMES},
    }


def document_route(table: Sequence[ApiRoute], server_url: str) -> ApiRoute:
    """Return the line of the document itself, which is made on first use."""
    made = cache(lambda: document_of(table, server_url))

    async def show_document(_request: Request) -> Response:
        return JSONResponse(made(), headers={"cache-control": "public, max-age=300"})

    return ApiRoute("GET", "/openapi.json", "open", show_document, "all of this as an OpenAPI 3.1 document")


def described(route: ApiRoute) -> Described:
    return DESCRIBED.get(f"{route.method} {route.path}", UNDESCRIBED)


def _operation(route: ApiRoute) -> dict[str, Any]:
    described_route = described(route)
    key = {"admin": " Needs an admin key.", "operations": " Needs `x-api-key`."}.get(route.access, "")
    text, names = {"type": "string"}, [name for name, _ in _PARAMETER.findall(route.path)]
    in_path = [{"name": name, "in": "path", "required": True, "schema": text} for name in names]
    operation: dict[str, Any] = {
        "operationId": _operation_id(route),
        "summary": route.what,
        "description": f"{route.what}.{key}",
        "parameters": [*in_path, *_query_parameters(described_route)],
        "security": _SECURITY[route.access],
        "responses": {
            **{str(status): _success(described_route, status) for status in described_route.statuses},
            "default": _PROBLEM,
        },
    }
    if described_route.body is not None:
        schema = {"$ref": _REF.format(model=described_route.body.__name__)}
        content = {"application/json": {"schema": schema}}
        operation["requestBody"] = {"required": described_route.body_needed, "content": content}
    return operation


def _operation_id(route: ApiRoute) -> str:
    words = re.findall(r"[A-Za-z0-9]+", _PARAMETER.sub(r"by_\1", route.path))
    return "_".join((route.method.lower(), *words))


def _query_parameters(described_route: Described) -> list[dict[str, Any]]:
    if described_route.query is None:
        return []
    schema = described_route.query.model_json_schema(ref_template=_REF)
    return [
        {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": of}
        for name, of in schema["properties"].items()
    ]


def _success(described_route: Described, status: int) -> dict[str, Any]:
    if status in (204, 307) or (status, described_route.answer) == (202, "Call"):
        return {"description": "nothing there"}
    # A message that a running job gets is answered without a stream.
    answer = "Taken" if status == 202 and described_route.answer == "Stream" else described_route.answer  # noqa: PLR2004
    if answer in _MEDIA:
        also = (
            {"application/json": {"schema": {"$ref": _REF.format(model="Object")}}}
            if answer in ("Call", "Result")
            else {}
        )
        return {"description": "done", "content": {_MEDIA[answer]: {"schema": {"type": "string"}}, **also}}
    return {"description": "done", "content": {"application/json": {"schema": {"$ref": _REF.format(model=answer)}}}}


def _body_schemas() -> dict[str, Any]:
    bodies = {
        described_route.body.__name__: described_route.body
        for described_route in DESCRIBED.values()
        if described_route.body is not None
    }
    wanted: list[tuple[type[BaseModel], Any]] = [(body, "validation") for body in bodies.values()]
    _, schema = models_json_schema(wanted, ref_template=_REF)
    found: dict[str, Any] = schema["$defs"]
    return found
