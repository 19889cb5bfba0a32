"""The API's table of routes: one line each, with its access rule."""

from functools import partial

from starlette.routing import BaseRoute

from baton.server.api.admin.budgets import clear_budget, set_budget, show_budgets
from baton.server.api.admin.control import replay, show_tools, show_worker, start_worker, stop_worker
from baton.server.api.admin.health import healthz, readyz, show_metrics
from baton.server.api.admin.subjects import erase_subject
from baton.server.api.admin.usage import show_usage
from baton.server.api.admin.versions import show_versions
from baton.server.api.app_events import post_app_event, show_app_event
from baton.server.api.audit import Audit
from baton.server.api.auth import Keys
from baton.server.api.guard import Guard
from baton.server.api.jobs.approval_links import make_link
from baton.server.api.jobs.approvals import approve_checkpoint, checkpoints_of_job, list_approvals, reject_checkpoint
from baton.server.api.jobs.bulk_change import change_many
from baton.server.api.jobs.context import Context, context_of
from baton.server.api.jobs.diff import show_diff
from baton.server.api.jobs.fork import post_fork
from baton.server.api.jobs.listing import list_jobs
from baton.server.api.jobs.other_starts import run_scenario, start_agent
from baton.server.api.jobs.recording import show_recording, show_result
from baton.server.api.jobs.scores import post_score
from baton.server.api.jobs.signals import KeptQuota, complete_operation, post_event, show_operation
from baton.server.api.route import ApiRoute
from baton.server.api.schedules import change_schedule, create_schedule, delete_schedule, read_schedule, show_schedules
from baton.server.api.sessions.chat import resume_chat, send_chat
from baton.server.api.sessions.files import show_file
from baton.server.api.sessions.follow_session import follow_session
from baton.server.api.sessions.sessions import cancel_session, delete_session, forget_memory, show_session
from baton.server.api.stream import make_token, show_stream
from baton.server.api.updates import PATH as UPDATES_PATH
from baton.server.api.updates import update_routes, updates_over_http
from baton.server.openapi import document_route
from baton.server.protocols.a2a.rpc import CARD_PATH, call_agent, default_card, show_card
from baton.server.protocols.ag_ui.runs import run_agent
from baton.server.protocols.chat_aliases import chat_alias_routes
from baton.server.protocols.mcp.calls import call_mcp
from baton.settings.limits import CONVERSATION_BYTES, DECISION_BYTES, EVENT_BYTES, SCHEDULE_BYTES, TASK_BYTES
from baton.worker.container import Container


def api_routes(container: Container, keys: Keys) -> list[BaseRoute]:
    """Build every route of the API, with a guard before each."""
    audit = Audit(container)
    guard = Guard(container, keys, audit)
    return [*guard.routes(api_table(container, keys, audit)), *update_routes(container, keys, guard)]


def api_table(container: Container, keys: Keys, audit: Audit) -> list[ApiRoute]:
    """Build every line of the table, in the order in which docs/reference/http.md lists them."""
    context = context_of(container, keys)
    table = [
        *_of_jobs(context),
        *_of_schedules(context),
        *_of_what_jobs_wait_for(context),
        *chat_alias_routes(context),
        *_of_chats(context),
        *_of_sessions(context),
        *_of_agents(context),
        *_of_operators(context, audit),
        *_open(context),
    ]
    table.append(document_route(table, container.settings.worker_base_url))  # which describes itself, too
    return table


def _of_jobs(context: Context) -> list[ApiRoute]:
    to, jobs = context.serves, context.jobs
    jobs_path, job_path = "/api/agent-jobs", "/api/agent-jobs/{job_id}"
    bulk_changes = "cancel or retry the jobs of a filter; repeat with `cursor` while there is one"
    submits = "submit a job; 202 and the job. `Idempotency-Key` is honoured"
    lists = (
        "jobs, newest first: `q`, `status`, `jobType`, `sessionId`, `tag`, `createdAfter`, `createdBefore`,"
        " `parentJobId`, `cursor`"
    )
    reads = "the job: status, current wait, tool calls, result, usage; `steps=true`: usage of each step, too"
    changes = "cancel it at once, or retry an ended one; 409 where its state does not allow it"
    deletes = "delete an ended job's data; 204, and later reads are 410; 409 before its end"
    return [
        ApiRoute("POST", jobs_path, "client", jobs.submit, submits, TASK_BYTES),
        ApiRoute("GET", jobs_path, "client", to(list_jobs), lists),
        ApiRoute("GET", job_path, "client", jobs.read, reads),
        ApiRoute("PATCH", job_path, "client", jobs.change, changes),
        ApiRoute("DELETE", job_path, "client", jobs.delete, deletes),
        ApiRoute("POST", "/api/admin/agent-jobs/bulk", "admin", to(change_many), bulk_changes),
        *_of_parts(context, job_path),
    ]


def _of_parts(context: Context, job_path: str) -> list[ApiRoute]:
    to, container = context.serves, context.container
    event_text = "an event that the job may wait for; kept until it does"
    streams = "its parts as server-sent events (AI SDK UI message stream v1); resume with `Last-Event-ID`"
    records = "an ended job with every answer of its models and tools, for `baton replay --offline`; 409 before its end"
    limit, quota = (container.settings.result_limit_bytes, "RESULT_LIMIT_BYTES"), KeptQuota(container)
    shows = "one tool call's result (`resultRef`); its bytes by `Accept: application/octet-stream` or `Range`"
    messages = "the messages of a job whose agent is a library's, in that library's own JSON; 404 for others"
    forks = "a new job that takes over an ended one's turns, with edits, and asks its model again from `turn` on; 202"
    diffs = "two jobs turn by turn: `same`, `changed`, `added` or `removed`, with texts, calls, results, usage and cost"
    scores = "what you think of the job, at any time; 201; a name again replaces it"
    return [
        ApiRoute("POST", f"{job_path}/events", "client", partial(post_event, context, quota), event_text, *limit),
        ApiRoute("GET", f"{job_path}/stream", "stream", to(show_stream), streams),
        ApiRoute("GET", f"{job_path}/results/{{call_id}}", "client", to(show_result), shows),
        ApiRoute("GET", f"{job_path}/model-messages", "client", context.jobs.model_messages, messages),
        ApiRoute("GET", f"{job_path}/recording", "client", to(show_recording), records),
        ApiRoute("POST", f"{job_path}/scores", "client", to(post_score), scores),
        ApiRoute("POST", f"{job_path}/fork", "client", to(post_fork), forks, TASK_BYTES),
        ApiRoute("GET", f"{job_path}/diff/{{other_id}}", "client", to(show_diff), diffs),
    ]


def _of_schedules(context: Context) -> list[ApiRoute]:
    to = context.serves
    path, one = "/api/agent-schedules", "/api/agent-schedules/{schedule_id}"
    makes = "a job that recurs: a job's fields, `cron` and `timeZone`; 201 and the schedule"
    return [
        ApiRoute("POST", path, "client", to(create_schedule), makes, SCHEDULE_BYTES),
        ApiRoute("GET", path, "client", to(show_schedules), "schedules, by id"),
        ApiRoute("GET", one, "client", to(read_schedule), "a schedule, with its next run and its last jobs"),
        ApiRoute("PATCH", one, "client", to(change_schedule), "pause or resume it, or start its job now"),
        ApiRoute("DELETE", one, "client", to(delete_schedule), "delete it; jobs that it started continue"),
    ]


def _of_what_jobs_wait_for(context: Context) -> list[ApiRoute]:
    to, events, operation = context.serves, "/api/events", "/api/operations/{operation_id}"
    sends = "an event of your own; 202, its id and how many handlers take it"
    shows = "the event, with each handler's status, attempts and error; kept as long as ended jobs"
    every = "/api/admin/agent-checkpoints"
    path, pending = f"{every}/{{checkpoint_id}}", "approvals of all jobs: those that wait, or `?status=`; `cursor`"
    lists = "marks that tools set, and decisions that it waits for"
    makes = "a link by which a person without a key decides"
    approves = "approve; 409 where it was decided before"
    completes = "finish the waiting call; repeatable, the first outcome stays"
    limit = (context.container.settings.result_limit_bytes, "RESULT_LIMIT_BYTES")
    return [
        ApiRoute("POST", events, "client", to(post_app_event), sends, EVENT_BYTES),
        ApiRoute("GET", f"{events}/{{event_id}}", "client", to(show_app_event), shows),
        ApiRoute("GET", "/api/agent-jobs/{job_id}/checkpoints", "client", to(checkpoints_of_job), lists),
        ApiRoute("GET", every, "admin", to(list_approvals), pending),
        ApiRoute("POST", path, "admin", to(approve_checkpoint), approves, DECISION_BYTES),
        ApiRoute("DELETE", path, "admin", to(reject_checkpoint), "reject; 409 likewise"),
        ApiRoute("POST", f"{path}/links", "client", to(make_link), makes),
        ApiRoute("GET", operation, "operations", to(show_operation), "the tool call that waits for the operation"),
        ApiRoute("POST", f"{operation}/complete", "operations", to(complete_operation), completes, *limit),
    ]


def _of_chats(context: Context) -> list[ApiRoute]:
    to = context.serves
    files_bytes = 2 * context.container.settings.files_limit_bytes  # as Base64, and even some that are too large
    run = "a run of AG-UI, by its `RunAgentInput`: a message to answer, or answers to interrupts; 200 and its events"
    makes = "a token for the streams of a job or a session, for clients without headers; valid for 5 minutes"
    starts = 'start a chat\'s job: 202 `{"workflowId"}`, its id'
    updates = "`?workflowId=`: the job's parts over a WebSocket, under uvicorn only; to a plain request 426"
    sends = "the body of AI SDK's `useChat`: the chat's `id` is the session; 200 and the answer's stream"
    resumes = (
        "the running answer's stream from its start, 204 if none runs; an admin key names the tenant with `?tenant=`"
    )
    return [
        ApiRoute("POST", "/api/chat", "client", to(send_chat), sends, CONVERSATION_BYTES + files_bytes),
        ApiRoute("GET", "/api/chat/{session_id:any}/stream", "stream", to(resume_chat), resumes),
        ApiRoute("POST", "/api/ag-ui/{agent}", "run", to(run_agent), run, CONVERSATION_BYTES + files_bytes),
        ApiRoute("POST", "/api/stream-tokens", "client", to(make_token), makes),
        ApiRoute("POST", "/api/agent/start", "client", to(start_agent), starts, TASK_BYTES),
        ApiRoute("GET", UPDATES_PATH, "open", updates_over_http, updates),
    ]


def _of_sessions(context: Context) -> list[ApiRoute]:
    to = context.serves
    path = "/api/sessions/{session_id:any}"
    shows = "its messages, running job (`activeStream`) and queued questions; `?limit=`, `?cursor=` for older ones"
    deletes = "delete its jobs' data and its memory; 409 while one has not ended"
    cancels = "stop the running job and those in line; answers once they have stopped, within 5 s"
    file = "a file of one of its messages, as `url` of a file part names it"
    follows = "its jobs' parts as they come: `{jobId, part}`, `{jobId, message}`; from `lastEventId` of the session on"
    forgets = "forget what agents remember of a session; an admin key names the tenant with `?tenant=`"
    return [
        ApiRoute("DELETE", f"{path}/memory", "client", to(forget_memory), forgets),  # before the path of any id
        ApiRoute("GET", f"{path}/stream", "stream", to(follow_session), follows),
        ApiRoute("GET", f"{path}/files/{{name}}", "stream", to(show_file), file),
        ApiRoute("POST", f"{path}/cancel", "client", to(cancel_session), cancels),
        ApiRoute("GET", path, "client", to(show_session), shows),
        ApiRoute("DELETE", path, "client", to(delete_session), deletes),
    ]


def _of_agents(context: Context) -> list[ApiRoute]:
    to = context.serves
    path = "/a2a/{agent}"
    limit_bytes = TASK_BYTES + 2 * context.container.settings.files_limit_bytes
    asks = "a method of MCP by JSON-RPC: agents with `expose='mcp'` are tools; 200 and its result, stream or error"
    calls = "a method of A2A 1.0 by JSON-RPC, for an agent with `expose='a2a'`: 200 and its result, stream or error"
    return [
        ApiRoute("POST", path, "client", to(call_agent), calls, limit_bytes),
        ApiRoute("GET", f"{path}{CARD_PATH}", "open", to(show_card), "the card of an exposed agent"),
        ApiRoute(
            "GET", CARD_PATH, "open", to(default_card), "the card of `DEFAULT_AGENT`, or of the first exposed agent"
        ),
        ApiRoute("POST", "/mcp", "client", to(call_mcp), asks, TASK_BYTES),
    ]


def _of_operators(context: Context, audit: Audit) -> list[ApiRoute]:
    to = context.serves
    shows = "each tool's capabilities, attempts, failures, and durations (p50, p95)"
    worker_path = "/api/admin/agent-worker"
    used = (
        "usage of each tenant's jobs that ended in a month, overhead, prices; `tenant`, `month`; with `by=day` or"
        " `by=month` the last 92 days by agent, tenant and model; `agent`, `model`, `from`, `to`"
    )
    compares = "an agent's versions, and two of them over their newest runs: `left`, `right`, `limit`"
    admits = "whether jobs are admitted, how many are at work and in line"
    starts = "start, with so many slots: waiting jobs get them at once"
    stops = "stop: no job gets a slot; a job that holds one continues"
    replays = "send a message again, unless it was applied already; with a job's id: all that the job expects now"
    measures = "counters for Prometheus: an admin key or `METRICS_TOKEN`, or `METRICS_PUBLIC=true`"
    audits = "actions of operators, newest first: key, action, time, status; `limit`, `cursor`"
    lists = "what keys have spent in their present periods, those last used first; `key`, `limit`, `cursor`"
    limits = "set a key's limit for the present period, or for every one: calls that wait and have room begin"
    clears = "the limits count again that calls declare; what is spent stays; `per`"
    erases = "cancel a person's jobs, delete what has ended of their data; `tenant`; repeat while `running` is above 0"
    budget_path = "/api/admin/budgets/{key:any}"
    return [
        ApiRoute("GET", "/api/admin/budgets", "admin", to(show_budgets), lists),
        ApiRoute("PUT", budget_path, "admin", to(set_budget), limits),
        ApiRoute("DELETE", budget_path, "admin", to(clear_budget), clears),
        ApiRoute("DELETE", "/api/admin/subjects/{subject_id:any}", "admin", to(erase_subject), erases),
        ApiRoute("GET", worker_path, "admin", to(show_worker), admits),
        ApiRoute("GET", "/api/admin/agents/{agent}/versions", "admin", to(show_versions), compares),
        ApiRoute("GET", "/api/admin/usage", "admin", to(show_usage), used),
        ApiRoute("POST", worker_path, "admin", to(start_worker), starts),
        ApiRoute("DELETE", worker_path, "admin", to(stop_worker), stops),
        ApiRoute("POST", "/api/admin/messages/{message_id}/replay", "admin", to(replay), replays),
        ApiRoute("GET", "/api/admin/tools", "admin", to(show_tools), shows),
        ApiRoute("GET", "/api/admin/audit", "admin", audit.show, audits),
        ApiRoute("GET", "/api/metrics", "metrics", to(show_metrics), measures),
    ]


def _open(context: Context) -> list[ApiRoute]:
    to = context.serves
    tries = "run a small job to its end; only where `ENABLE_TEST_ENDPOINT=true`"
    return [
        ApiRoute("POST", "/test/simple", "open", to(run_scenario), tries),
        ApiRoute("GET", "/healthz", "open", to(healthz), "the process needs no restart; else 503"),
        ApiRoute("GET", "/readyz", "open", to(readyz), "agents are loaded and the store answers; else 503"),
    ]
