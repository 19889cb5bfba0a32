"""`POST /api/chat`: chats as AI SDK's `useChat` holds them. A chat is a session, each message of the user a job of it.

Only the last message of the body is read, and what its user has decided of calls: all else is in the store, and is not
taken from a client. A request without a new message goes on with the answer that asked. Invariant: a job's id follows
from the message and the job it replaces, so a repeated request is the same job and gets the same job's stream. Stop is
not disconnect: a closed connection changes nothing.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

from msgspec import structs
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.engine.all_jobs.job_list import Query
from baton.engine.state import Job
from baton.sdk.agents.agent import Agent
from baton.sdk.agents.registry import UnknownAgentError, agent_takes, remembers
from baton.sdk.records.any_json import AnyJsonList
from baton.server.api.auth import Principal
from baton.server.api.jobs.approval_list import view_of
from baton.server.api.jobs.approvals import ApprovalAnswer, question_of, take_answer
from baton.server.api.jobs.context import Context
from baton.server.api.jobs.open_calls import OpenCalls
from baton.server.api.jobs.submission import SubjectId, SubmitBody, is_same_request, new_job
from baton.server.api.problem import ApiError, invalid_by, limited_body, parsed
from baton.server.api.session_line import Sessions, WhenBusy
from baton.server.api.sessions.files import ChatFiles, Named
from baton.server.api.sessions.sessions import session_of
from baton.server.api.sessions.ui_message import Asked
from baton.server.api.stream import streamed
from baton.server.api.stream_form import UI_MESSAGES
from baton.server.api.stream_token import check_capacity, must_cover
from baton.settings.limits import MESSAGES, PARTS, SESSION_LIMIT_CHARS
from baton.store.records.jobs import Snapshot, StoredParts
from baton.worker.commands.kept_files import KeptFiles
from baton.worker.container import Container
from baton.worker.conversation.originals import Originals
from baton_events.errors import MemoryUnavailableError, StoreError, UnreadablePayloadError
from baton_events.ids import canonical_json, chat_job_id, digest

Trigger = Literal["submit-message", "regenerate-message"]
MESSAGE_ID_LIMIT_CHARS = 200
_ID_CHARS, _REASON_CHARS = 600, 2_000


class ChatMessage(BaseModel):
    """A message of the chat, as far as it is read."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: Annotated[str, Field(max_length=MESSAGE_ID_LIMIT_CHARS)] = ""
    role: str
    parts: AnyJsonList


class ChatBody(BaseModel):
    """A chat client's request; its other fields are ignored."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True)

    id: Annotated[str, Field(min_length=1, max_length=SESSION_LIMIT_CHARS)]
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=MESSAGES)]
    trigger: Trigger = "submit-message"
    message_id: Annotated[str, Field(max_length=MESSAGE_ID_LIMIT_CHARS)] | None = None
    agent: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    when_busy: WhenBusy = "queue"
    subject_id: SubjectId | None = None

    @property
    def last(self) -> ChatMessage:
        return self.messages[-1]

    @property
    def text(self) -> str:
        return "\n".join(part["text"] for part in self.last.parts if part["type"] == "text")

    @property
    def decided(self) -> dict[str, ApprovalAnswer]:
        """What the user has decided, by the question's id, in the last message with decisions: older ones are known."""
        answers = (message for message in reversed(self.messages) if message.role == "assistant")
        found = ([part["approval"] for part in message.parts if _is_decision(part)] for message in answers)
        given = next(filter(None, found), [])
        return {one["id"]: ApprovalAnswer(approved=one["approved"], reason=_reason(one)) for one in given}

    @property
    def goes_on(self) -> bool:
        """Whether there is no new message: the answer goes on that has asked."""
        return self.last.role == "assistant" and any(map(_is_decision, self.last.parts))

    @property
    def file_parts(self) -> list[tuple[str, Any]]:
        """The files that the user sends, each with its field."""
        at = f"messages.{len(self.messages) - 1}.parts"
        return [(f"{at}.{place}", part) for place, part in enumerate(self.last.parts) if part["type"] == "file"]


def read_chat_body(body: bytes) -> ChatBody:
    """Parse the body of a chat's request. Raises ApiError: 400 not JSON, 422 with every fault otherwise."""
    read = parsed(ChatBody, body)
    if read.goes_on:
        return read
    faults = _faults(read.last, f"messages.{len(read.messages) - 1}")
    if not faults and not read.text.strip() and not read.file_parts:
        faults = [(f"messages.{len(read.messages) - 1}.parts", "there is no text to answer")]
    if faults:
        raise invalid_by(faults)
    return read


def _faults(last: ChatMessage, field: str) -> list[tuple[str, str]]:
    faults: list[tuple[str, str]] = []
    if last.role != "user":
        faults.append((f"{field}.role", f"the last message must be the user's, got {last.role!r}"))
    if not last.id:
        faults.append((f"{field}.id", "the message needs an id: a request that is repeated is known by it"))
    if len(last.parts) > PARTS:
        return [*faults, (f"{field}.parts", f"the message has {len(last.parts)} parts; at most {PARTS}")]
    wrong = [(index, part) for index, part in enumerate(last.parts) if not _is_text(part) and not _is_file(part)]
    return faults + [(f"{field}.parts.{index}", _wrong_part(part)) for index, part in wrong]


def _is_decision(part: Any) -> bool:
    """Return whether a part is a tool call that `addToolApprovalResponse` has decided, in AI SDK's form of 6 and 7."""
    given = part.get("approval") if isinstance(part, dict) and part.get("state") == "approval-responded" else None
    if not isinstance(given, dict) or not isinstance(given.get("approved"), bool):
        return False
    return isinstance(given.get("id"), str) and len(given["id"]) <= _ID_CHARS


def _reason(given: dict[str, Any]) -> str:
    reason = given.get("reason")
    return reason[:_REASON_CHARS] if isinstance(reason, str) else ""


def _is_text(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)


def _is_file(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") == "file"


def _wrong_part(part: Any) -> str:
    kind = part.get("type") if isinstance(part, dict) else None
    got = f"got one of type {kind[:40]!r}" if isinstance(kind, str) and kind != "text" else "and this is none"
    return f'a part must be {{"type": "text", "text": "…"}} or a file, {got}'


# So many of a session's rows are read at once, in search of a message that is repeated or edited.
_ROWS = 100


@dataclass(frozen=True, slots=True)
class ChatJob:
    """The job, and its task. `replaced`: the job whose answer it replaces."""

    job: Job
    task: dict[str, Any]
    replaced: Job | None = None


async def requested_job(container: Container, tenant: str, body: ChatBody, files: Sequence[Named] = ()) -> ChatJob:
    """Build the job that a request asks for. `files`: those of its message.

    Raises ApiError: 422, no agent has that name, or its model takes no such files.
    """
    again = body.trigger == "regenerate-message" or body.message_id is not None
    known = await _find(container, tenant, body) if again else None
    if known is not None and _is_repeat(known, body, files):
        replaces = str(known.task["chat"].get("replaces") or "")
        return _chat_job(container, tenant, body, replaces, known.task["text"], known.task.get("files", ()))
    requested = _chat_job(container, tenant, body, known.job.id if known else "", body.text, files)
    return requested if known is None else ChatJob(requested.job, requested.task, known.job)


def _is_repeat(known: Snapshot, body: ChatBody, files: Sequence[Named]) -> bool:
    """Return whether this very request made the newest job for the message, and does not want to replace it."""
    if body.trigger == "submit-message":
        return bool(known.task.get("text") == body.text) and known.task.get("files", []) == list(files)
    # Without the answer's id, two requests for another answer are told apart by whether the first has ended.
    return body.message_id is None and bool(known.task["chat"].get("replaces")) and not known.job.ended


async def newest_messages(container: Container, tenant: str, session_id: str) -> list[Snapshot]:
    """Return the newest jobs of a session that answer a message, in any order.

    Raises UnreadablePayloadError: what one of them answers cannot be read here.
    """
    return (await _messages_before(container, tenant, session_id, ""))[0]


async def _messages_before(
    container: Container, tenant: str, session_id: str, position: str
) -> tuple[list[Snapshot], str]:
    ports = container.ports
    scanned = await ports.listing.scan(Query(tenant=tenant, session_id=session_id), position, _ROWS)
    found = await ports.reader.jobs([row.job_id for row in scanned.found])
    mine = [job for job in found.values() if (job.job.tenant, job.job.session_id) == (tenant, session_id)]
    if lost := [key_id for job in mine for key_id in job.unreadable]:
        raise UnreadablePayloadError(lost[0])
    return [job for job in mine if isinstance(job.task.get("chat"), dict)], scanned.next


async def _find(container: Container, tenant: str, body: ChatBody) -> Snapshot | None:
    """Find the job to answer anew: by its id, or the newest of the message, also of one that is edited."""
    newest, position = None, ""
    while True:
        jobs, position = await _messages_before(container, tenant, body.id, position)
        named = next((job for job in jobs if job.job.id == body.message_id), None)
        wanted = (body.last.id, body.message_id)  # an edited message may have got an id of its own
        mine = [job for job in jobs if job.task["chat"].get("messageId") in wanted]
        newest = newest or max(mine, key=lambda job: (job.job.created_at_ms, job.job.id), default=None)
        is_found = newest is not None and body.message_id in (None, newest.task["chat"].get("messageId"))
        if named or not position or is_found:
            return named or newest


def must_take(container: Container, agent: Agent, files: Sequence[Named]) -> None:
    """Check that the agent's model takes a message's files. Raises ApiError: 422."""
    for file in files:
        if not agent_takes(container.registry, agent, file["mediaType"]):
            name = container.registry.model_name_of(agent)
            detail = f"model {name!r} of agent {agent.name!r} takes no files of type {file['mediaType']!r}"
            raise ApiError(422, detail, [("messages", detail)])


def _chat_job(
    container: Container, tenant: str, body: ChatBody, replaces: str, text: str, files: Sequence[Named]
) -> ChatJob:
    name = body.agent or container.settings.default_agent or container.registry.agents[0].name
    try:
        agent = container.registry.agent(name)
    except UnknownAgentError as error:
        raise ApiError(422, str(error), [("agent", str(error))]) from error
    must_take(container, agent, files)
    job = new_job(
        SubmitBody.model_validate(
            {"jobType": agent.name, "taskDescription": text, "sessionId": body.id, "subjectId": body.subject_id}
        ),
        container,
        job_id=chat_job_id(tenant, body.id, body.last.id, replaces),
        session_id=body.id,
        tenant=tenant,
        now_ms=container.ports.clock.now_ms(),
    )
    chat = {"messageId": body.last.id} | ({"replaces": replaces} if replaces else {})
    task: dict[str, Any] = {"text": text, "chat": chat} | ({"files": list(files)} if files else {})
    request = digest(job.request_digest, list(files)) if files else job.request_digest
    return ChatJob(structs.replace(job, background=True, request_digest=request), task)


class ChatForm:
    """`Form` of a chat's answer: it is over, too, where its turn waits for people alone. Its front end asks them.

    `decided`: the questions that its request decides; the events begin where the job had asked them.
    """

    headers: ClassVar[Mapping[str, str]] = UI_MESSAGES.headers

    def __init__(self, decided: Iterable[str] = ()) -> None:
        self._calls, self._asked, self._decided = OpenCalls(), Asked(), frozenset(decided)

    @property
    def over(self) -> bool:
        """Whether the job waits for people alone, after the parts so far."""
        return self._calls.only_people_are_awaited and not self._decided

    def part(self, job: Job, number: int, part: str) -> str:
        """Return the part as one event; before it, without a number, that the user is asked."""
        read = json.loads(part)
        self._calls.take(read)
        *before, shown = self._asked.with_questions(read)
        if self._decided:
            if self._calls.only_people_are_awaited and self._decided & self._calls.questions.keys():
                self._calls.decided(self._decided)
                self._decided = frozenset()
            return ""
        events = "".join(f"data: {canonical_json(one)}\n\n" for one in before)
        return events + UI_MESSAGES.part(job, number, part if shown is read else canonical_json(shown))

    def ending(self, job: Job) -> str:
        """Return the end of every such stream."""
        return UI_MESSAGES.ending(job)


async def _decide(container: Container, principal: Principal, body: ChatBody) -> Job | None:
    """Decide what the user has decided and is still asked; return the job of the last one that this chat knows.

    The first decision counts, wherever it came from: a client keeps what it has sent, and sends it again.
    """
    found = None
    for question_id, answer in body.decided.items():
        with suppress(ApiError):  # 404: it is gone; 409: decided meanwhile
            snapshot, question = await question_of(container, question_id)
            view, job = view_of(question, snapshot, container.ports.clock.now_ms()), snapshot.job
            if (job.tenant, job.session_id) != (principal.tenant, body.id):
                continue
            if view["mayDecide"] != "user":
                continue
            found = job
            if view["status"] == "pending":
                await take_answer(container, principal, question_id, answer)
    return found


async def send_chat(context: Context, request: Request) -> Response:
    """Answer `POST /api/chat` with 200 and the answer's stream; 202 `{"jobId"}` if a running job takes it."""
    principal = await context.keys.authenticate(request)
    body = read_chat_body(await limited_body(request))
    container, files = context.container, ChatFiles(context.container)
    check_capacity(container, principal)  # before there is a job
    job = await _decide(container, principal, body)
    if body.goes_on:
        if job is None:
            detail = f"chat {body.id!r} has asked its user none of what is decided here"
            raise ApiError(422, detail, [(f"messages.{len(body.messages) - 1}.parts", detail)])
        stored = await container.ports.reader.parts(job.id, 0)
        form = ChatForm(body.decided)
        return streamed(context, request, principal, replace(stored, job=stored.job or job), form=form)
    read = await files.read(principal.tenant, body.id, body.file_parts)
    requested = await requested_job(container, principal.tenant, body, [file for file, _ in read])
    return await answered(context, request, principal, requested, body, files.attached(requested.job, read))


async def answered(
    context: Context,
    request: Request,
    principal: Principal,
    requested: ChatJob,
    body: ChatBody,
    attached: KeptFiles | None = None,
) -> Response:
    """Submit a message's job, with what is attached to it, and answer as `send` does.

    Raises ApiError: 422, the message's id was sent with another message before. SessionBusyError.
    """
    sessions, task = Sessions(context.container), requested.task
    if body.when_busy == "steer" and requested.replaced is None and "files" not in task:
        taker = await sessions.steer(requested.job, task)
        if taker is not None:
            return JSONResponse({"jobId": taker.id}, 202)
    accepted = await sessions.submit(requested.job, task, body.when_busy, may_exist=True, attached=attached)
    if requested.replaced is not None and not requested.replaced.ended:
        await sessions.stop([requested.replaced], f"job {requested.job.id}, which replaces its answer")
    await forget_replaced(context.container, requested.job, task)
    if not is_same_request(accepted.job, requested.job):
        detail = f"message {body.last.id!r} was sent with other contents before: a new message needs a new id"
        raise ApiError(422, detail, [(f"messages.{len(body.messages) - 1}.id", detail)])
    reader = context.container.ports.reader
    stored = await reader.parts(requested.job.id, 0)
    # A read may be older than a new submission.
    first = stored if stored.job is not None else StoredParts(accepted.job)
    return streamed(context, request, principal, first, form=ChatForm())


async def forget_replaced(container: Container, job: Job, task: Mapping[str, Any]) -> None:
    """Forget what agents remember of what the job replaces; its first turn does so, too, before it recalls anything."""
    if remembers(container.registry):
        with suppress(MemoryUnavailableError, StoreError):
            ports = container.ports
            await Originals(ports.listing, ports.reader, container.memory).forget_replaced(job, task)


async def resume_chat(context: Context, request: Request) -> Response:
    """Answer `GET /api/chat/{id}/stream` with 200 and the running answer's stream from its start, else 204."""
    principal = await context.keys.authenticate(request)
    tenant, session_id = session_of(request, principal)
    must_cover(request, tenant, "", session_id)
    line = await Sessions(context.container).line(tenant, session_id)
    if not line:
        return Response(status_code=204)
    first = await context.container.ports.reader.parts(line[0].job.id, 0)
    first = replace(first, job=first.job or line[0].job)
    return streamed(context, request, principal, first, form=ChatForm())
