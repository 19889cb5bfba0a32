"""The routes of seed 003's chat API."""

from baton.server.api.auth import Keys
from baton.server.api.jobs.job import JobsApi
from baton.server.api.route import ApiRoute
from baton.server.api.sessions.chat import ChatApi
from baton.server.api.sessions.sessions import SessionsApi
from baton.server.api.stream import StreamApi
from baton.server.protocols.chat_aliases.sessions import ChatSessionsApi
from baton.server.protocols.chat_aliases.tasks import ChatTasksApi
from baton.settings.limits import TASK_BYTES
from baton.worker.container import Container


def chat_alias_routes(container: Container, keys: Keys, jobs: JobsApi, native: SessionsApi) -> list[ApiRoute]:
    """Build the routes; they come before the routes of chats, one of which takes any path."""
    chats = ChatApi(container, keys)
    sessions, tasks = ChatSessionsApi(container, keys, native, chats), ChatTasksApi(container, keys, jobs)
    every, limit = "/api/chat/sessions", (container.settings.result_limit_bytes, "RESULT_LIMIT_BYTES")
    one = f"{every}/{{session_id:path}}"
    sends = '`{"message", "is_user_message", "context"}`: a message of the session; 200 and the answer\'s stream'
    lists = "sessions that were created here, the last used first; `limit`, `cursor`"
    shows = "its messages, and what streams (`active_stream`)"
    resumes = "the stream of `POST /api/chat/sessions/{session_id}/stream` from its start, 204 if none runs"
    reads = "a job as seed 003 shows it: running, completed or failed; 404 for another tenant's"
    follows = "as `/api/agent-jobs/{job_id}/stream`; resume with `?last_message_id=`"
    completes = "as `POST /api/operations/{operation_id}/complete`"
    cancels = "stop what runs in it: `cancelled`, `task_id`, `reason`"
    schema = "what tools of seed 003's chats answer, as JSON Schema"
    completion = "/api/chat/operations/{operation_id}/complete"
    return [
        ApiRoute("POST", every, "client", sessions.create, "create a session"),
        ApiRoute("GET", every, "client", sessions.listed, lists),
        ApiRoute("POST", f"{one}/stream", "client", sessions.send, sends, TASK_BYTES),
        ApiRoute("GET", f"{one}/stream", "stream", chats.resume, resumes),
        ApiRoute("POST", f"{one}/cancel", "client", sessions.cancel, cancels),
        ApiRoute("PATCH", f"{one}/assign-user", "client", sessions.assign, "200 for a session of the key's tenant"),
        ApiRoute("GET", one, "client", sessions.show, shows),
        ApiRoute("DELETE", one, "client", native.delete, "as `DELETE /api/sessions/{session_id}`"),
        ApiRoute("GET", "/api/chat/tasks/{task_id}", "client", tasks.show, reads),
        ApiRoute("GET", "/api/chat/tasks/{job_id}/stream", "stream", StreamApi(container, keys).stream, follows),
        ApiRoute("POST", completion, "operations", tasks.complete, completes, *limit),
        ApiRoute("GET", "/api/chat/schema/tool-responses", "client", tasks.schema, schema),
    ]
