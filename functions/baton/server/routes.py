"""The API's table of routes: one line each, with its access rule."""

from starlette.routing import BaseRoute

from baton.server.api.admin.control import MessagesApi, ToolsApi, WorkerApi
from baton.server.api.admin.health import Health, MetricsApi
from baton.server.api.admin.usage_by_day import UsageApi
from baton.server.api.admin.versions import VersionsApi
from baton.server.api.app_events import AppEventsApi
from baton.server.api.audit import Audit
from baton.server.api.auth import Keys
from baton.server.api.guard import Guard
from baton.server.api.jobs.approval_links import ApprovalLinks, ApprovalLinksApi
from baton.server.api.jobs.approvals import Approvals, CheckpointsApi
from baton.server.api.jobs.bulk_change import BulkChangeApi
from baton.server.api.jobs.diff import DiffApi
from baton.server.api.jobs.fork import ForkApi
from baton.server.api.jobs.job import JobResultsApi, JobsApi
from baton.server.api.jobs.listing import JobListingApi
from baton.server.api.jobs.other_starts import AgentStartApi, SimpleScenario
from baton.server.api.jobs.recording import RecordingsApi
from baton.server.api.jobs.scores import ScoresApi
from baton.server.api.jobs.signals import JobEventsApi, OperationsApi
from baton.server.api.route import ApiRoute
from baton.server.api.schedules import SchedulesApi
from baton.server.api.sessions.chat import ChatApi
from baton.server.api.sessions.files import SessionFilesApi
from baton.server.api.sessions.sessions import SessionMemoryApi, SessionsApi
from baton.server.api.stream import StreamApi, StreamTokensApi
from baton.server.api.updates import PATH as UPDATES_PATH
from baton.server.api.updates import update_routes, updates_over_http
from baton.server.openapi import OpenApi
from baton.server.protocols.a2a.card import CARD_PATH, CardsApi
from baton.server.protocols.a2a.rpc import A2aApi
from baton.server.protocols.ag_ui.runs import AgUiApi
from baton.server.protocols.chat_aliases.routes import chat_alias_routes
from baton.server.protocols.mcp.rpc import McpApi
from baton.settings.limits import CONVERSATION_BYTES, DECISION_BYTES, EVENT_BYTES, SCHEDULE_BYTES, TASK_BYTES
from baton.worker.container import Container


def api_routes(container: Container, keys: Keys) -> list[BaseRoute]:
    """Build every route of the API, with a guard before each."""
    audit = Audit(container)
    guard = Guard(container, keys, audit)
    return [*guard.routes(api_table(container, keys, audit)), *update_routes(container, keys, guard)]


def api_table(container: Container, keys: Keys, audit: Audit) -> list[ApiRoute]:
    """Build every line of the table, in the order in which docs/reference/http.md lists them."""
    jobs, sessions = JobsApi(container, keys), SessionsApi(container, keys)
    table = [
        *_of_jobs(container, keys, jobs),
        *_of_forks(container, keys, jobs),
        *_of_schedules(container, keys),
        *_of_app_events(container, keys),
        *_of_checkpoints(container, keys, jobs),
        *_of_operations(container),
        *chat_alias_routes(container, keys, jobs, sessions),
        *_of_chats(container, keys, jobs),
        *_of_sessions(container, keys, sessions),
        *_of_a2a(container, keys, jobs),
        *_of_mcp(container, keys, jobs),
        *_of_operators(container, audit),
        *_open(container, jobs),
    ]
    document = OpenApi(table, container.settings.worker_base_url)  # the table lists it, too
    table.append(ApiRoute("GET", "/openapi.json", "open", document.show, "all of this as an OpenAPI 3.1 document"))
    return table


def _of_jobs(container: Container, keys: Keys, jobs: JobsApi) -> list[ApiRoute]:
    jobs_path, job_path = "/api/agent-jobs", "/api/agent-jobs/{job_id}"
    events, stream = JobEventsApi(container, keys, jobs), StreamApi(container, keys)
    listing, bulk_path = JobListingApi(container, keys), "/api/admin/agent-jobs/bulk"
    bulk = BulkChangeApi(keys, jobs, listing)
    bulk_changes = '`{"action", "filter", "dryRun"}` cancels or retries jobs; repeat with `cursor` while there is one'
    recordings, result_limit_bytes = RecordingsApi(container, keys, jobs), container.settings.result_limit_bytes
    submits = "submit a job; 202 and the job. `Idempotency-Key` is honoured"
    lists = (
        "jobs, newest first: `q`, `status`, `jobType`, `sessionId`, `tag`, `createdAfter`, `createdBefore`,"
        " `parentJobId`, `cursor`"
    )
    reads = "the job: status, current wait, tool calls, result, usage; `steps=true`: usage of each step, too"
    changes = (
        '`{"action": "cancel"}` ends the job at once; `{"action": "retry", "from": "failure"}` (or `"start"`) lets an'
        " ended one run again; 409 where its state does not allow it"
    )
    deletes = "delete an ended job's data; 204, and later reads are 410; 409 before its end"
    event_text = '`{"name", "data"}`: an event that the job may wait for; kept until it does'
    streams = "its parts as server-sent events (AI SDK UI message stream v1); resume with `Last-Event-ID`"
    records = "an ended job with every answer of its models and tools, for `baton replay --offline`; 409 before its end"
    limit, results = (result_limit_bytes, "RESULT_LIMIT_BYTES"), JobResultsApi(container, keys)
    shows = "one tool call's result: for jobs whose results are too large together (`resultRef`)"
    messages = (
        "the messages of a job whose agent is pydantic-ai's, as `ModelMessagesTypeAdapter` dumps them; 404 for others"
    )
    return [
        ApiRoute("POST", jobs_path, "client", jobs.submit, submits, TASK_BYTES),
        ApiRoute("GET", jobs_path, "client", listing.show, lists),
        ApiRoute("GET", job_path, "client", jobs.read, reads),
        ApiRoute("PATCH", job_path, "client", jobs.change, changes),
        ApiRoute("DELETE", job_path, "client", jobs.delete, deletes),
        ApiRoute("POST", bulk_path, "admin", bulk.change, bulk_changes),
        ApiRoute("POST", f"{job_path}/events", "client", events.post, event_text, *limit),
        ApiRoute("GET", f"{job_path}/stream", "stream", stream.stream, streams),
        ApiRoute("GET", f"{job_path}/results/{{call_id}}", "client", results.show, shows),
        ApiRoute("GET", f"{job_path}/model-messages", "client", jobs.model_messages, messages),
        ApiRoute("GET", f"{job_path}/recording", "client", recordings.show, records),
    ]


def _of_forks(container: Container, keys: Keys, jobs: JobsApi) -> list[ApiRoute]:
    job_path, api = "/api/agent-jobs/{job_id}", ForkApi(container, keys, jobs)
    forks = (
        '`{"turn", "edits", "toolsRun"}`: a new job that takes over an ended one\'s turns, with edits, and asks'
        " its model again from `turn` on; 202"
    )
    diffs = "two jobs turn by turn: `same`, `changed`, `added` or `removed`, with texts, calls, results, usage and cost"
    scores = '`{"name", "value", "comment"}`: what you think of the job, at any time; 201; a name again replaces it'
    return [
        ApiRoute("POST", f"{job_path}/scores", "client", ScoresApi(container, keys, jobs).post, scores),
        ApiRoute("POST", f"{job_path}/fork", "client", api.post, forks, TASK_BYTES),
        ApiRoute("GET", f"{job_path}/diff/{{other_id}}", "client", DiffApi(container, keys, jobs).show, diffs),
    ]


def _of_schedules(container: Container, keys: Keys) -> list[ApiRoute]:
    schedules, path = SchedulesApi(container, keys), "/api/agent-schedules"
    one = f"{path}/{{schedule_id}}"
    makes = "a job that recurs: a job's fields, `cron` and `timeZone`; 201 and the schedule"
    return [
        ApiRoute("POST", path, "client", schedules.create, makes, SCHEDULE_BYTES),
        ApiRoute("GET", path, "client", schedules.show_all, "schedules, by id"),
        ApiRoute("GET", one, "client", schedules.read, "a schedule, with its next run and its last jobs"),
        ApiRoute("PATCH", one, "client", schedules.pause, '`{"paused": true}` or false'),
        ApiRoute("DELETE", one, "client", schedules.delete, "delete it; jobs that it started continue"),
    ]


def _of_app_events(container: Container, keys: Keys) -> list[ApiRoute]:
    events, path = AppEventsApi(container, keys), "/api/events"
    sends = '`{"name", "data", "key"}`: an event of your own; 202, its id and how many handlers take it'
    shows = "the event, with each handler's status, attempts and error; kept as long as ended jobs"
    return [
        ApiRoute("POST", path, "client", events.post, sends, EVENT_BYTES),
        ApiRoute("GET", f"{path}/{{event_id}}", "client", events.show, shows),
    ]


def _of_checkpoints(container: Container, keys: Keys, jobs: JobsApi) -> list[ApiRoute]:
    approvals, every = Approvals(container, jobs), "/api/admin/agent-checkpoints"
    checkpoints, links = CheckpointsApi(keys, approvals), ApprovalLinksApi(keys, ApprovalLinks(container, approvals))
    path, pending = f"{every}/{{checkpoint_id}}", "approvals of all jobs: those that wait, or `?status=`; `cursor`"
    lists = "marks that tools set, and decisions that it waits for"
    makes = (
        '`{"expiresInSeconds", "name", "may", "edit"}`, all optional: a link by which a person without a key decides'
    )
    approves = '`{"arguments", "comment", "digest"}`, all optional: approves; 409 where it was decided before'
    return [
        ApiRoute("GET", "/api/agent-jobs/{job_id}/checkpoints", "client", checkpoints.of_job, lists),
        ApiRoute("GET", every, "admin", checkpoints.listed, pending),
        ApiRoute("POST", path, "admin", checkpoints.approve, approves, DECISION_BYTES),
        ApiRoute("DELETE", path, "admin", checkpoints.reject, '`{"reason"}`: rejects; 409 likewise'),
        ApiRoute("POST", f"{path}/links", "client", links.make, makes),
    ]


def _of_operations(container: Container) -> list[ApiRoute]:
    operations, path = OperationsApi(container), "/api/operations/{operation_id}"
    completes = '`{"success", "result" or "error"}` finishes the waiting call; repeatable, the first outcome stays'
    limit = (container.settings.result_limit_bytes, "RESULT_LIMIT_BYTES")
    return [
        ApiRoute("GET", path, "operations", operations.show, "the tool call that waits for the operation"),
        ApiRoute("POST", f"{path}/complete", "operations", operations.complete, completes, *limit),
    ]


def _of_chats(container: Container, keys: Keys, jobs: JobsApi) -> list[ApiRoute]:
    chats, starting = ChatApi(container, keys), AgentStartApi(container, keys, jobs)
    tokens, runs = StreamTokensApi(container, keys, jobs), AgUiApi(container, keys, jobs)
    files_bytes = 2 * container.settings.files_limit_bytes  # as Base64, and even some that are too large
    run = "a run of AG-UI, by its `RunAgentInput`: a message to answer, or answers to interrupts; 200 and its events"
    makes = '`{"jobId"}` or `{"sessionId"}`: a token for its streams, valid for 5 minutes, for clients without headers'
    starts = '`{"request", "conversationId", "agent"}`, the last two optional: 202 `{"workflowId"}`, a job\'s id'
    updates = "`?workflowId=`: the job's parts over a WebSocket, under uvicorn only; to a plain request 426"
    sends = "the body of AI SDK's `useChat`: the chat's `id` is the session; 200 and the answer's stream"
    resumes = (
        "the running answer's stream from its start, 204 if none runs; an admin key names the tenant with `?tenant=`"
    )
    return [
        ApiRoute("POST", "/api/chat", "client", chats.send, sends, CONVERSATION_BYTES + files_bytes),
        ApiRoute("GET", "/api/chat/{session_id:path}/stream", "stream", chats.resume, resumes),
        ApiRoute("POST", "/api/ag-ui/{agent}", "run", runs.run, run, CONVERSATION_BYTES + files_bytes),
        ApiRoute("POST", "/api/stream-tokens", "client", tokens.make, makes),
        ApiRoute("POST", "/api/agent/start", "client", starting.start, starts, TASK_BYTES),
        ApiRoute("GET", UPDATES_PATH, "open", updates_over_http, updates),
    ]


def _of_sessions(container: Container, keys: Keys, sessions: SessionsApi) -> list[ApiRoute]:
    memory = SessionMemoryApi(container, keys)
    path = "/api/sessions/{session_id:path}"
    shows = "its messages, running job (`activeStream`) and queued questions; `?limit=`, `?cursor=` for older ones"
    deletes = "delete its jobs' data and its memory; 409 while one has not ended"
    cancels = "stop the running job and those in line; answers once they have stopped, within 5 s"
    file = "a file of one of its messages, as `url` of a file part names it"
    forgets = "forget what agents remember of a session; an admin key names the tenant with `?tenant=`"
    return [
        ApiRoute("DELETE", f"{path}/memory", "client", memory.forget, forgets),  # before the path that takes any id
        ApiRoute("GET", f"{path}/files/{{name}}", "stream", SessionFilesApi(container, keys).show, file),
        ApiRoute("POST", f"{path}/cancel", "client", sessions.cancel, cancels),
        ApiRoute("GET", path, "client", sessions.show, shows),
        ApiRoute("DELETE", path, "client", sessions.delete, deletes),
    ]


def _of_a2a(container: Container, keys: Keys, jobs: JobsApi) -> list[ApiRoute]:
    cards, tasks, path = CardsApi(container), A2aApi(container, keys, jobs), "/a2a/{agent}"
    calls = "a method of A2A 1.0 by JSON-RPC, for an agent with `expose='a2a'`: 200 and its result, stream or error"
    return [
        ApiRoute("POST", path, "client", tasks.call, calls, TASK_BYTES + 2 * container.settings.files_limit_bytes),
        ApiRoute("GET", f"{path}{CARD_PATH}", "open", cards.show, "the card of an exposed agent"),
        ApiRoute("GET", CARD_PATH, "open", cards.default, "the card of the first exposed agent, or of `DEFAULT_AGENT`"),
    ]


def _of_mcp(container: Container, keys: Keys, jobs: JobsApi) -> list[ApiRoute]:
    calls = "a method of MCP by JSON-RPC: agents with `expose='mcp'` are tools; 200 and its result, stream or error"
    return [ApiRoute("POST", "/mcp", "client", McpApi(container, keys, jobs).call, calls, TASK_BYTES)]


def _of_operators(container: Container, audit: Audit) -> list[ApiRoute]:
    tools, shows = ToolsApi(container), "each tool's capabilities, attempts, failures, and durations (p50, p95)"
    worker, worker_path = WorkerApi(container), "/api/admin/agent-worker"
    usage = UsageApi(container)
    used = (
        "usage of each tenant's jobs that ended in a month, overhead, prices; `tenant`, `month`; with `by=day` or"
        " `by=month` the last 92 days by agent, tenant and model; `agent`, `model`, `from`, `to`"
    )
    compares = "an agent's versions, and two of them over their newest runs: `left`, `right`, `limit`"
    messages, replays = (
        MessagesApi(container),
        "send a message of the queue again; the answer says if it was applied already",
    )
    redrives = "send the events of all steps that a job expects now"
    measures = "counters for Prometheus: an admin key or `METRICS_TOKEN`, or `METRICS_PUBLIC=true`"
    audits = "actions of operators, newest first: key, action, time, status; `limit`, `cursor`"
    return [
        ApiRoute(
            "GET", worker_path, "admin", worker.show, "whether jobs are admitted, how many are at work and in line"
        ),
        ApiRoute("GET", "/api/admin/agents/{agent}/versions", "admin", VersionsApi(container).show, compares),
        ApiRoute("GET", "/api/admin/usage", "admin", usage.show, used),
        ApiRoute(
            "POST", worker_path, "admin", worker.start, "start, with so many slots: waiting jobs get them at once"
        ),
        ApiRoute(
            "DELETE", worker_path, "admin", worker.stop, "stop: no job gets a slot; a job that holds one continues"
        ),
        ApiRoute("POST", "/api/admin/messages/{message_id}/replay", "admin", messages.replay, replays),
        ApiRoute("POST", "/api/admin/agent-jobs/{job_id}/replay", "admin", messages.redrive, redrives),
        ApiRoute("GET", "/api/admin/tools", "admin", tools.show, shows),
        ApiRoute("GET", "/api/admin/audit", "admin", audit.show, audits),
        ApiRoute("GET", "/api/metrics", "metrics", MetricsApi(container).show, measures),
    ]


def _open(container: Container, jobs: JobsApi) -> list[ApiRoute]:
    scenario, health = SimpleScenario(container, jobs), Health(container)
    tries = "run a small job to its end; only where `ENABLE_TEST_ENDPOINT=true`"
    return [
        ApiRoute("POST", "/test/simple", "open", scenario.run, tries),
        ApiRoute("GET", "/healthz", "open", health.healthz, "the process needs no restart; else 503"),
        ApiRoute("GET", "/readyz", "open", health.readyz, "agents are loaded and the store answers; else 503"),
    ]
