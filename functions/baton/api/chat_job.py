"""Which job a chat's request asks for: a new one, one that replaces an answer, or the one that it asked for before.

Invariant: a job's id follows from the message and from what it replaces, so a request that comes again is the same job.
"""

from dataclasses import dataclass
from typing import Any

from baton.agents.registry import UnknownAgentError
from baton.api.chat_body import ChatBody
from baton.api.problem import ApiError
from baton.api.submit_body import SubmitBody, new_job
from baton.container import Container
from baton.core.listing import Query
from baton.core.state import Job
from baton.ports import Snapshot
from baton_events.ids import chat_job_id

# So far back a message is looked for that is asked, or edited, once more.
_ROWS = 100


@dataclass(frozen=True, slots=True)
class Asked:
    """The job, and its task. `replaced`: the job whose answer it replaces."""

    job: Job
    task: dict[str, Any]
    replaced: Job | None = None


async def asked_job(container: Container, tenant: str, body: ChatBody) -> Asked:
    """What a request asks for.

    Raises:
        ApiError: 422, no agent has that name.
    """
    again = body.trigger == "regenerate-message" or body.message_id is not None
    known = await _find(container, tenant, body) if again else None
    if known is not None and _is_repeat(known, body):
        replaces = str(known.task["chat"].get("replaces") or "")
        return _asked(container, tenant, body, replaces, known.task["text"])
    asked = _asked(container, tenant, body, known.job.id if known else "")
    return asked if known is None else Asked(asked.job, asked.task, known.job)


def _is_repeat(known: Snapshot, body: ChatBody) -> bool:
    """Whether the newest job for this message is what this very request made, and not what it wants to replace."""
    if body.trigger == "submit-message":
        return bool(known.task.get("text") == body.text)
    # Without the answer's id, two requests another answer are told apart by whether the first has come to its end.
    return body.message_id is None and bool(known.task["chat"].get("replaces")) and not known.job.ended


async def _find(container: Container, tenant: str, body: ChatBody) -> Snapshot | None:
    """The job whose answer is asked for once more: by its id, or the newest of the message."""
    ports = container.ports
    scanned = await ports.listing.scan(Query(tenant=tenant, session_id=body.id), "", _ROWS)
    found = await ports.reader.jobs([row.job_id for row in scanned.found])
    mine = [
        job
        for job in found.values()
        if (job.job.tenant, job.job.session_id) == (tenant, body.id) and isinstance(job.task.get("chat"), dict)
    ]
    wanted = body.message_id if body.message_id in {job.job.id for job in mine} else None
    mine = [
        job
        for job in mine
        if job.job.id == wanted or (not wanted and job.task["chat"].get("messageId") == body.last.id)
    ]
    return max(mine, key=lambda job: (job.job.created_at_ms, job.job.id), default=None)


def _asked(container: Container, tenant: str, body: ChatBody, replaces: str, text: str = "") -> Asked:
    name = body.agent or container.settings.default_agent or container.registry.agents[0].name
    try:
        agent = container.registry.agent(name)
    except UnknownAgentError as error:
        raise ApiError(422, str(error), [("agent", str(error))]) from error
    said = text or body.text
    job = new_job(
        SubmitBody.model_validate({"jobType": agent.name, "taskDescription": said, "sessionId": body.id}),
        container.registry,
        job_id=chat_job_id(tenant, body.id, body.last.id, replaces),
        session_id=body.id,
        tenant=tenant,
        now_ms=container.ports.clock.now_ms(),
    )
    chat = {"messageId": body.last.id} | ({"replaces": replaces} if replaces else {})
    return Asked(job, {"text": said, "chat": chat})
