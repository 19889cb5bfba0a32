"""An operator's actions on a job: start one, now or by a schedule, cancel it, fork it and compare both.

Each button is a form, and each answer confirms what was done.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from starlette.responses import Response

from baton.sdk.records.redaction import redacted
from baton.server.api.admin.subjects import erased
from baton.server.api.jobs.diff import diff_of
from baton.server.api.jobs.fork import ForkBody, forked
from baton.server.api.jobs.job import ChangeBody
from baton.server.api.jobs.scores import ScoreBody, scored
from baton.server.api.jobs.submission import SubmitBody
from baton.server.api.problem import ApiError, parsed
from baton.server.console.form import Form, field, number_in, read_object, whole_number
from baton.server.console.gate import SUBJECT, Visit
from baton.server.console.shown import pretty
from baton_events.ids import subject_digest

_FIELDS = ("jobType", "taskDescription", "inputData", "priority", "sessionId", "tags", "once", "like", "tenant")
_TIMES = ("cron", "timeZone")


def body_of(form: Form) -> dict[str, Any]:
    """Convert the form to the body of a submission. Raises ApiError: 422, a field cannot be read as what it is."""
    body: dict[str, Any] = {"jobType": field(form, "jobType"), "taskDescription": field(form, "taskDescription")}
    body["inputData"] = read_object(field(form, "inputData"), "inputData")
    body["priority"] = whole_number(field(form, "priority") or "5")
    if field(form, "sessionId"):
        body["sessionId"] = field(form, "sessionId")
    if tags := [tag.strip() for tag in field(form, "tags").split(",") if tag.strip()]:
        body["tags"] = tags
    return body


def once_of(form: Form) -> str:
    """Return the key by which a form that is sent again does nothing more."""
    return f"console {once}" if (once := field(form, "once")) else ""


_EDITS = ("taskDescription", "instructions", "model", "toolResults", "arguments")


def fork_body(form: Form, own: Mapping[str, str]) -> ForkBody:
    """Convert the form to a fork: a field that is empty, or still as it was (`own`), is no edit.

    Raises ApiError: 422, a field cannot be read as what it is.
    """
    edits: dict[str, Any] = {name: field(form, name) for name in ("taskDescription", "instructions", "model")}
    edits = {name: "" if text == own.get(name, "").strip() else text for name, text in edits.items()}
    edits |= {name: read_object(field(form, name), name) for name in ("toolResults", "arguments")}
    given = {name: one for name, one in edits.items() if one}
    body = {"turn": whole_number(field(form, "turn")), "toolsRun": field(form, "toolsRun") or "recorded"}
    return parsed(ForkBody, json.dumps(body | {"edits": given}).encode())


async def fork_form(visit: Visit) -> Response:
    """Show the form that forks a job; the query has the turn to begin at."""
    job_id = visit.request.path_params["job_id"]
    given = {name: field(visit.form, name) for name in (*_EDITS, "turn", "toolsRun", "once")}
    if not visit.form:
        given |= await _own(visit, job_id) | {"turn": visit.query("turn") or "1"}
        given["once"] = visit.container.ports.randomness.token()
    job = (await visit.context.jobs.snapshot(visit.principal, job_id, partly=True)).job
    shown = {"id": job_id, "runs_code": job.model.runs_code}
    return visit.page("fork.html", job=shown, given=given, faults=_by_field(visit, "edits."))


async def fork(visit: Visit) -> Response:
    """Fork the job, once however often the form is sent."""
    job_id = visit.request.path_params["job_id"]
    body = fork_body(visit.form, await _own(visit, job_id))
    made = await forked(visit.context, visit.principal, job_id, body, once_of(visit.form))
    return visit.go(f"/console/jobs/{made['id']}", "This job is the fork.")


def _by_field(visit: Visit, prefix: str) -> dict[str, str]:
    """Return a form's faults by its fields, of which one has all parts of a value."""
    return {name.removeprefix(prefix).partition(".")[0]: text for name, text in visit.faults.items()}


async def _own(visit: Visit, job_id: str) -> dict[str, str]:
    """Return the job's task and input, and the instructions of its agent as it is now."""
    snapshot = await visit.context.jobs.snapshot(visit.principal, job_id)
    agents = [agent for agent in visit.container.registry.agents if agent.name == snapshot.job.agent]
    task = {"taskDescription": snapshot.task.get("text", ""), "instructions": agents[0].instructions if agents else ""}
    task["tenant"] = snapshot.job.tenant
    return task | {"inputData": pretty(redacted(data)) if (data := snapshot.task.get("data")) else ""}


async def diff(visit: Visit) -> Response:
    ids = visit.request.path_params["job_id"], visit.request.path_params["other_id"]
    return visit.page("diff.html", diff=await diff_of(visit.context, visit.principal, *ids))


async def start_form(visit: Visit) -> Response:
    """Show the form that starts a job, or with `cron` in the query makes a schedule; the query may fill it in.

    `like`: a job whose task and input it has, whole, since an address is short; its tenant may have the new one, too.
    """
    query = visit.request.query_params
    given = {name: field(visit.form, name) if visit.form else visit.query(name) for name in (*_FIELDS, *_TIMES)}
    given["priority"] = given["priority"] or "5"
    given["timeZone"] = given["timeZone"] or "UTC"
    if not visit.form:
        given["once"] = visit.container.ports.randomness.token()
    tenants = {given["tenant"] or visit.principal.tenant, visit.principal.tenant}
    if like := visit.query("like"):
        given |= {name: text for name, text in (await _own(visit, like)).items() if name in _FIELDS}
        tenants.add(given["tenant"])
    return visit.page(
        "start.html",
        given=given,
        tenants=sorted(tenants),
        recurs="cron" in (visit.form or query),
        faults=_by_field(visit, ""),
        agents=[agent.name for agent in visit.container.registry.agents],
        priorities="9876543210",
    )


async def start(visit: Visit) -> Response:
    """Start the job, once however often its form is sent, for the operator's tenant or that of the one it is like."""
    body = parsed(SubmitBody, json.dumps(body_of(visit.form)).encode())
    by, like = visit.principal, field(visit.form, "like")
    if (tenant := field(visit.form, "tenant") or by.tenant) != by.tenant:
        if not like or (await visit.context.jobs.snapshot(by, like, partly=True)).job.tenant != tenant:
            fault = f"a job of {tenant!r} is started from the page of one that it has, or with a key of its own"
            raise ApiError(422, fault, [("tenant", fault)])
        by = replace(by, tenant=tenant)
    job = await visit.context.jobs.accept(by, body, once_of(visit.form))
    return visit.go(f"/console/jobs/{job['id']}", "The job is accepted.")


async def cancel(visit: Visit) -> Response:
    job_id = visit.request.path_params["job_id"]
    await visit.context.jobs.changed(visit.principal, job_id, ChangeBody(action="cancel"))
    return visit.go(f"/console/jobs/{job_id}", "The job is cancelled.")


async def retry(visit: Visit) -> Response:
    """Retry an ended job: from the failed step, or from its start."""
    job_id = visit.request.path_params["job_id"]
    begin, shown = ("start", "its start") if field(visit.form, "from") == "start" else ("failure", "what failed")
    body = ChangeBody.model_validate({"action": "retry", "from": begin})
    await visit.context.jobs.changed(visit.principal, job_id, body)
    return visit.go(f"/console/jobs/{job_id}", f"The job runs again, from {shown}.")


async def score(visit: Visit) -> Response:
    job_id = visit.request.path_params["job_id"]
    given = {name: field(visit.form, name) for name in ("name", "comment")}
    body = parsed(ScoreBody, json.dumps({**given, "value": number_in(field(visit.form, "value"))}).encode())
    await scored(visit.context, visit.principal, job_id, body)
    return visit.go(f"/console/jobs/{job_id}", f"The job has a score {body.name}.")


async def delete(visit: Visit) -> Response:
    job_id = visit.request.path_params["job_id"]
    await visit.context.jobs.remove(visit.principal, job_id)
    return visit.go("/console/jobs", f"The data of job {job_id} is deleted.")


async def erase(visit: Visit) -> Response:
    """Erase the data of the person whose job it is, once their id is typed: no page shows it, and no log has it."""
    job_id, person = visit.request.path_params["job_id"], field(visit.form, SUBJECT)
    job = (await visit.context.jobs.snapshot(visit.principal, job_id, partly=True)).job
    names = visit.container.sealing.names_of(subject_digest(job.tenant, person))
    if not person or job.subject not in names:
        raise ApiError(422, f"job {job_id} is not of that person: type the subjectId that it was submitted with")
    counts = Counter(await erased(visit.context, job.tenant, names))
    if running := counts.pop("running", 0):  # they are cancelled by now, and so can be deleted
        again = await erased(visit.context, job.tenant, names)
        running = again.pop("running")
        counts.update(again | {"sessions": 0})  # the same ones
    gone = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    left = f"; {running} jobs still run: erase once more on the page of one of them" if running else ""
    return visit.go("/console/jobs", f"Of the person is erased: {gone or 'nothing'}{left}.")
