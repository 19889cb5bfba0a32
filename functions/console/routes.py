"""The console's routes: one line each. All but the login and the static files are behind the gate."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from functions.api.approvals import Approvals
from functions.api.auth import Keys
from functions.api.bulk_change import BulkChangeApi
from functions.api.job_listing import JobListingApi
from functions.api.jobs import JobsApi
from functions.api.route import Endpoint
from functions.api.schedules import SchedulesApi
from functions.api.tools import ToolsApi
from functions.api.usage import UsageApi
from functions.console.approvals_page import HOME as APPROVALS
from functions.console.approvals_page import ApprovalsPage
from functions.console.audit_page import AuditPage
from functions.console.bulk_page import BulkPage
from functions.console.dead_letters_page import DeadLettersPage
from functions.console.gate import LOGIN, Gate, Visit
from functions.console.job_actions import JobActions
from functions.console.job_page import JobPage
from functions.console.jobs_page import JobsPage
from functions.console.live import Live
from functions.console.login import HOME, Login
from functions.console.messages_page import MessagesPage
from functions.console.pages import static_file
from functions.console.schedules_page import SchedulesPage
from functions.console.sessions_page import SessionsPage
from functions.console.tools_page import ToolsPage
from functions.console.usage_page import UsagePage
from functions.console.worker_page import WorkerPage
from functions.container import Container
from functions.replaying import Replaying
from functions.sessions import Sessions
from functions.worker import Worker


def console_routes(container: Container, keys: Keys) -> list[Route]:
    """Every route of the console."""
    gate, jobs = Gate(container, keys), JobsApi(container, keys)
    login = Login(container, keys, gate.signer)
    return [
        Route("/console", _to(HOME), methods=["GET"]),
        Route(LOGIN, login.show, methods=["GET"]),
        Route(LOGIN, login.enter, methods=["POST"]),
        gate.post("/console/logout", login.leave),
        *_of_jobs(gate, container, keys, jobs),
        *_of_approvals(gate, ApprovalsPage(Approvals(container, jobs))),
        *_of_queue(gate, container, keys),
        *_of_worker(gate, container),
        gate.get("/console/tools", ToolsPage(ToolsApi(container)).show),
        gate.get("/console/usage", UsagePage(UsageApi(container)).show),
        Route("/console/static/{version}/{name}", static_file, methods=["GET"]),
        gate.get("/console/{path:path}", _nothing),
    ]


def _of_jobs(gate: Gate, container: Container, keys: Keys, jobs: JobsApi) -> list[Route]:
    listing = JobListingApi(container, keys)
    sessions = SessionsPage(listing, Sessions(container))
    bulk = BulkPage(BulkChangeApi(keys, jobs, listing))
    actions, job, live = JobActions(container, jobs), JobPage(container, jobs), Live(container, jobs)
    path = "/console/jobs/{job_id}"
    return [
        gate.get("/console/jobs", JobsPage(container, listing).show),
        gate.get("/console/jobs/new", actions.ask),
        gate.post("/console/jobs/new", actions.start),
        gate.get("/console/jobs/bulk", bulk.ask),
        gate.post("/console/jobs/bulk", bulk.change),
        gate.get(path, job.show),
        gate.get(f"{path}/live", live.stream),
        gate.get(f"{path}/calls/{{call_id}}", job.call),
        gate.get(f"{path}/steps", job.steps),
        gate.post(f"{path}/cancel", actions.cancel),
        gate.post(f"{path}/retry", actions.retry),
        gate.post(f"{path}/delete", actions.delete),
        gate.get("/console/sessions", sessions.show),
        gate.get("/console/sessions/{session_id:path}", sessions.one),
        gate.post("/console/sessions/{session_id:path}/cancel", sessions.cancel),
    ]


def _of_approvals(gate: Gate, approvals: ApprovalsPage) -> list[Route]:
    path = f"{APPROVALS}/{{checkpoint_id}}"
    return [
        gate.get(APPROVALS, approvals.show),
        gate.get(path, approvals.one),
        gate.post(f"{path}/approve", approvals.approve),
        gate.post(f"{path}/reject", approvals.reject),
        Route("/admin/agent-checkpoints", _to(APPROVALS), methods=["GET"]),
    ]


def _of_worker(gate: Gate, container: Container) -> list[Route]:
    ports = container.ports
    admission = Worker(ports.operating, container.emitter, ports.clock, ports.randomness)
    worker = WorkerPage(ports.operating, admission, ports.queue_records)
    return [
        gate.get("/console/worker", worker.show),
        gate.post("/console/worker/start", worker.start),
        gate.post("/console/worker/stop", worker.stop),
        gate.get("/console/audit", AuditPage(ports.audit_log).show),
    ]


def _of_queue(gate: Gate, container: Container, keys: Keys) -> list[Route]:
    ports = container.ports
    replaying = Replaying(ports.reader, container.emitter, ports.clock, ports.randomness, container.settings)
    messages, dead = MessagesPage(ports.queue_records, replaying), DeadLettersPage(ports.queue_records, replaying)
    schedules = SchedulesPage(container, SchedulesApi(container, keys))
    return [
        gate.get("/console/messages", messages.show),
        gate.post("/console/messages/replay", messages.replay),
        gate.get("/console/messages/{message_id}", messages.one),
        gate.post("/console/jobs/{job_id}/drive", messages.drive),
        gate.get("/console/dead-letters", dead.show),
        gate.post("/console/dead-letters/retry", dead.retry),
        gate.post("/console/dead-letters/delete", dead.delete),
        gate.get("/console/schedules", schedules.show),
        gate.get("/console/schedules/new", schedules.ask),
        gate.post("/console/schedules/new", schedules.make),
        gate.post("/console/schedules/{schedule_id}/delete", schedules.delete),
        gate.post("/console/schedules/{schedule_id}/pause", schedules.pause),
        gate.post("/console/schedules/{schedule_id}/resume", schedules.resume),
    ]


def _to(path: str) -> Endpoint:
    async def go(_request: Request) -> Response:
        return RedirectResponse(path, 303)

    return go


async def _nothing(visit: Visit) -> Response:
    return visit.page("error.html", 404, code=404, detail=f"there is no page {visit.request.url.path}")
