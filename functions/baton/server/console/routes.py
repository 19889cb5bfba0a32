"""The console's routes: one line each. All but the login and the static files are behind the gate."""

from functools import partial

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from baton.server.api.admin.control import replaying_of
from baton.server.api.auth import Keys
from baton.server.api.jobs.approval_links import ApprovalLinks
from baton.server.api.jobs.approvals import Approvals
from baton.server.api.jobs.context import Context, context_of
from baton.server.api.route import Endpoint
from baton.server.api.session_line import Sessions
from baton.server.console.admin.agents_page import AgentsPage
from baton.server.console.admin.audit_page import AuditPage
from baton.server.console.admin.budgets_page import BudgetsPage
from baton.server.console.admin.overview_page import OverviewPage
from baton.server.console.admin.schedules_page import SchedulesPage
from baton.server.console.admin.usage_page import UsagePage
from baton.server.console.approvals.link_page import LinkPage
from baton.server.console.approvals.page import HOME as APPROVALS
from baton.server.console.approvals.page import ApprovalsPage
from baton.server.console.event_page import show_event
from baton.server.console.gate import HOME, LOGIN, Gate, Visit
from baton.server.console.job_actions import ForkPages, JobActions
from baton.server.console.job_changes import Live
from baton.server.console.job_page import JobPage
from baton.server.console.jobs_page import BulkPage, JobsPage
from baton.server.console.login import Login
from baton.server.console.messages_page import DeadLettersPage, MessagesPage
from baton.server.console.pages import static_file
from baton.server.console.sessions_page import SessionsPage
from baton.server.console.turn_page import TurnPage
from baton.worker.container import Container


def console_routes(container: Container, keys: Keys) -> list[Route]:
    """Build every route of the console."""
    gate, context = Gate(container, keys), context_of(container, keys)
    login, agents = Login(container, keys, gate.signer), AgentsPage(context)
    overview, budgets = OverviewPage(container), BudgetsPage(container)
    return [
        gate.get(HOME, overview.show),
        Route(LOGIN, login.show, methods=["GET"]),
        Route(LOGIN, login.enter, methods=["POST"]),
        gate.forms(HOME, start=overview.start, stop=overview.stop, logout=login.leave),
        *_of_jobs(gate, context),
        *_of_approvals(gate, container, Approvals(container, context.jobs)),
        *_of_queue(gate, context),
        gate.get("/console/audit", AuditPage(container.ports.audit_log).show),
        gate.get("/console/agents", agents.show),
        gate.get("/console/agents/{agent}/versions", agents.versions),
        gate.get("/console/budgets", budgets.show),
        gate.forms("/console/budgets", set=budgets.set),
        gate.get("/console/usage", UsagePage(container).show),
        Route("/console/static/{version}/{name}", static_file, methods=["GET"]),
        gate.get("/console/{path:any}", _nothing),
    ]


def _of_jobs(gate: Gate, context: Context) -> list[Route]:
    container, jobs = context.container, context.jobs
    sessions = SessionsPage(container, Sessions(container))
    bulk = BulkPage(context)
    job, live = JobPage(container, jobs), Live(container, jobs)
    actions = JobActions(context, job)
    forks, path = ForkPages(context), "/console/jobs/{job_id}"
    return [
        gate.get("/console/jobs", JobsPage(container, bulk).show),
        gate.get("/console/jobs/new", actions.form),
        gate.post("/console/jobs/new", actions.start),
        gate.post("/console/jobs/bulk", bulk.change),
        gate.get(path, job.show),
        gate.get(f"{path}/live", live.stream),
        gate.get(f"{path}/calls/{{call_id}}", job.call),
        gate.get(f"{path}/calls/{{call_id}}/result", job.result),
        gate.get(f"{path}/turns/{{turn}}", TurnPage(container, job).show),
        gate.get(f"{path}/fork", forks.form),
        gate.get(f"{path}/diff/{{other_id}}", forks.diff),
        gate.forms(
            path,
            cancel=actions.cancel,
            retry=actions.retry,
            fork=forks.fork,
            replay=MessagesPage(container.ports.queue_records, replaying_of(container)).replay_job,
            delete=actions.delete,
            erase=actions.erase,
            scores=actions.score,
        ),
        gate.get("/console/sessions", sessions.show),
        gate.get("/console/sessions/{session_id:any}", sessions.one),
        gate.post("/console/sessions/{session_id:any}/cancel", sessions.cancel),
    ]


def _of_approvals(gate: Gate, container: Container, checkpoints: Approvals) -> list[Route]:
    path, links = f"{APPROVALS}/{{checkpoint_id}}", ApprovalLinks(container, checkpoints)
    approvals, linked = ApprovalsPage(container, checkpoints, links), LinkPage(container, checkpoints, links)
    return [
        gate.get(APPROVALS, approvals.show),
        gate.get(path, approvals.one),
        gate.forms(path, approve=approvals.approve, reject=approvals.reject, link=approvals.link),
        *linked.routes(),
        Route("/admin/agent-checkpoints", _to(APPROVALS), methods=["GET"]),
    ]


def _of_queue(gate: Gate, context: Context) -> list[Route]:
    container = context.container
    records, replaying = container.ports.queue_records, replaying_of(container)
    messages, dead = MessagesPage(records, replaying), DeadLettersPage(records, replaying)
    schedules = SchedulesPage(context)
    return [
        gate.get("/console/events/{event_id}", partial(show_event, context)),
        gate.get("/console/messages", messages.show),
        gate.post("/console/messages/replay", messages.replay),
        gate.get("/console/messages/{message_id}", messages.one),
        gate.get("/console/dead-letters", dead.show),
        gate.forms("/console/dead-letters", retry=dead.retry, delete=dead.delete),
        gate.get("/console/schedules", schedules.show),
        gate.forms(
            "/console/schedules/{schedule_id}",
            make=schedules.make,
            delete=schedules.delete,
            pause=schedules.pause,
            resume=schedules.resume,
        ),
    ]


def _to(path: str) -> Endpoint:
    async def go(_request: Request) -> Response:
        return RedirectResponse(path, 303)

    return go


async def _nothing(visit: Visit) -> Response:
    return visit.page("error.html", 404, code=404, detail=f"there is no page {visit.request.url.path}")
