"""The routes of seed 003's chat API."""

from baton.server.api.jobs.context import Context
from baton.server.api.route import ApiRoute
from baton.server.api.sessions.chat import ChatApi
from baton.server.api.sessions.sessions import SessionsApi
from baton.server.api.stream import show_stream
from baton.server.protocols.chat_aliases.sessions import ChatSessionsApi
from baton.server.protocols.chat_aliases.tasks import complete_task_operation, show_task, show_tool_response_schema
from baton.settings.limits import TASK_BYTES


def chat_alias_routes(context: Context, native: SessionsApi) -> list[ApiRoute]:
    """Build the routes; they come before the routes of chats, one of which takes any path."""
    to, chats = context.serves, ChatApi(context.container, context.keys)
    sessions = ChatSessionsApi(context.container, context.keys, native, chats)
    every, limit = "/api/chat/sessions", (context.container.settings.result_limit_bytes, "RESULT_LIMIT_BYTES")
    one = f"{every}/{{session_id:any}}"
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
        ApiRoute("GET", "/api/chat/tasks/{task_id}", "client", to(show_task), reads),
        ApiRoute("GET", "/api/chat/tasks/{job_id}/stream", "stream", to(show_stream), follows),
        ApiRoute("POST", completion, "operations", to(complete_task_operation), completes, *limit),
        ApiRoute("GET", "/api/chat/schema/tool-responses", "client", to(show_tool_response_schema), schema),
    ]
