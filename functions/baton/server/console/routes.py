"""The console's routes: one line each. All but the login and the static files are behind the gate."""

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from baton.server.api.auth import Keys
from baton.server.api.jobs.context import context_of
from baton.server.console import (
    event_page,
    job_actions,
    job_changes,
    job_page,
    jobs_page,
    messages_page,
    sessions_page,
    turn_page,
)
from baton.server.console.admin import agents_page, audit_page, budgets_page, overview_page, schedules_page, usage_page
from baton.server.console.approvals import page as approvals_page
from baton.server.console.approvals.link_page import LinkPage
from baton.server.console.gate import HOME, LOGIN, Gate, Visit, form
from baton.server.console.login import Login
from baton.server.console.pages import static_file
from baton.worker.container import Container

APPROVALS = approvals_page.HOME


def console_routes(container: Container, keys: Keys) -> list[Route]:
    gate = Gate(context_of(container, keys))
    login = Login(container, keys, gate.signer)
    return [
        gate.get(HOME, overview_page.show),
        Route(LOGIN, login.show, methods=["GET"]),
        Route(LOGIN, login.enter, methods=["POST"]),
        gate.forms(HOME, start=overview_page.start, stop=overview_page.stop, logout=login.leave),
        *_of_jobs(gate),
        gate.get("/console/sessions", sessions_page.show),
        gate.get("/console/sessions/{session_id:any}", sessions_page.one),
        gate.post("/console/sessions/{session_id:any}/cancel", sessions_page.cancel),
        *_of_approvals(gate),
        *LinkPage(container).routes(),
        *_of_queue(gate),
        gate.get("/console/audit", audit_page.show),
        gate.get("/console/agents", agents_page.show),
        gate.get("/console/agents/{agent}/versions", agents_page.versions),
        gate.get("/console/budgets", budgets_page.show),
        gate.forms("/console/budgets", set=form(budgets_page.set_limit, budgets_page.show)),
        gate.get("/console/usage", usage_page.show),
        Route("/console/static/{version}/{name}", static_file, methods=["GET"]),
        gate.get("/console/{path:any}", _nothing),
    ]


def _of_jobs(gate: Gate) -> list[Route]:
    path = "/console/jobs/{job_id}"
    return [
        gate.get("/console/jobs", jobs_page.show),
        gate.get("/console/jobs/new", job_actions.start_form),
        gate.post("/console/jobs/new", form(job_actions.start, job_actions.start_form)),
        gate.post("/console/jobs/bulk", jobs_page.change_all),
        gate.get(path, job_page.show_job),
        gate.get(f"{path}/live", job_changes.stream),
        gate.get(f"{path}/calls/{{call_id}}", job_page.show_call),
        gate.get(f"{path}/calls/{{call_id}}/result", job_page.show_result),
        gate.get(f"{path}/turns/{{turn}}", turn_page.show),
        gate.get(f"{path}/fork", job_actions.fork_form),
        gate.get(f"{path}/diff/{{other_id}}", job_actions.diff),
        gate.forms(
            path,
            cancel=job_actions.cancel,
            retry=job_actions.retry,
            fork=form(job_actions.fork, job_actions.fork_form),
            replay=messages_page.replay_job,
            delete=job_actions.delete,
            erase=job_actions.erase,
            scores=form(job_actions.score, job_page.show_job),
        ),
    ]


def _of_approvals(gate: Gate) -> list[Route]:
    path = f"{APPROVALS}/{{checkpoint_id}}"
    forms = {
        "approve": approvals_page.approve,
        "reject": approvals_page.reject,
        "link": form(approvals_page.link, approvals_page.one),
    }
    return [
        gate.get(APPROVALS, approvals_page.show),
        gate.get(path, approvals_page.one),
        gate.forms(path, **forms),
        Route("/admin/agent-checkpoints", RedirectResponse(APPROVALS, 303), methods=["GET"]),
    ]


def _of_queue(gate: Gate) -> list[Route]:
    schedule = "/console/schedules/{schedule_id}"
    return [
        gate.get("/console/events/{event_id}", event_page.show),
        gate.get("/console/messages", messages_page.show),
        gate.post("/console/messages/replay", messages_page.replay),
        gate.get("/console/messages/{message_id}", messages_page.one),
        gate.get("/console/dead-letters", messages_page.show_dead),
        gate.forms("/console/dead-letters", retry=messages_page.retry_dead, delete=messages_page.delete_dead),
        gate.get("/console/schedules", schedules_page.show),
        gate.forms(
            schedule,
            make=form(schedules_page.make, job_actions.start_form),
            delete=schedules_page.delete,
            set=schedules_page.pause_or_resume,
            run=schedules_page.run,
        ),
    ]


async def _nothing(visit: Visit) -> Response:
    return visit.page("error.html", 404, code=404, detail=f"there is no page {visit.request.url.path}")
