"""The earlier exchanges of a session: each of its jobs is a question and its answer.

A job of a chat has `"chat": {"messageId", "replaces"?}` in its task; `replaces` names the job whose answer it replaces:
that one and all after it are no longer part of the conversation, but their calls are told. So are the calls of a job
that has ended early, and those of the last answer, which may not repeat what they found. A job that was rolled back
leaves no trace. Invariant: the messages follow from recorded entries, the transcript's `{"role": "session", "v": 1,
"exchanges": [{"jobId", "question", "answer"?, "status", "messages"?, "files"?, "calls"?, "cut"?}], "leftOut"?}`, so
they are the same in every turn. Only files are stored beside the jobs, so nothing else can be lost or disagree with
them. Must not: read a store (`earlier_jobs` does). A call without a recorded end is told as one whose outcome is
unknown, unless it certainly has not begun.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from msgspec import Struct, structs

from baton.engine.lifecycle import ROLLED_BACK
from baton.engine.state import CallRecord, Job
from baton.engine.transitions import CallStatus, JobStatus
from baton.engine.waits import APPROVALS
from baton.sdk.memory.entries import question_of
from baton.sdk.models.model import CUT_NOTE, Message, ModelMessage, UserMessage, files_of
from baton.sdk.records.redaction import redacted
from baton.sdk.records.transcript import ENTRY_VERSION, SESSION_ROLE
from baton.store.records.jobs import Snapshot
from baton.worker.conversation.fitting import cut
from baton_events.ids import canonical_json

_ARGUMENTS_BYTES, _RESULT_BYTES = 1_000, 4_000
# A line is never cut below this: the tool's name and the beginning of its arguments.
_LEAST_LINE_BYTES = 200
_LEFT_OUT_BYTES = 60
# Jobs below are read one by one; of more of them only the call that started each is told.
_MOST_BELOW = 20
_OVER = (CallStatus.COMPLETED, CallStatus.FAILED)

Reading = Callable[[str], Awaitable[Snapshot | None]]


async def lines_of(snapshot: Snapshot, read: Reading) -> tuple[str, ...]:
    """Tell each call of a job, in order, with those of the jobs below it that have not given their answer.

    `snapshot`: the job. `read`: reads a job below it.
    """
    lines, below = list[str](), list[str]()
    await _add_lines(snapshot, read, "", lines, below)
    return tuple(lines)


async def _add_lines(snapshot: Snapshot, read: Reading, indent: str, lines: list[str], below: list[str]) -> None:
    for call in snapshot.calls:
        if call.tool in APPROVALS:
            continue
        arguments = _shown(redacted(call.arguments), _ARGUMENTS_BYTES)
        lines.append(f"{indent}- {call.tool} {arguments}: {_fate(call, snapshot)}")
        if not call.child or call.status is CallStatus.COMPLETED or len(below) >= _MOST_BELOW:
            continue
        below.append(call.child)
        child = await read(call.child)
        if child is not None:
            await _add_lines(child, read, f"{indent}  ", lines, below)


def _fate(call: CallRecord, snapshot: Snapshot) -> str:
    result = snapshot.results.get(call.id, {})
    if "ok" in result:
        return f"completed. Its result: {_shown(result['ok'], _RESULT_BYTES)}"
    if call.error is not None and call.status in _OVER:
        return f"failed: {call.error.type}: {cut(call.error.message, _ARGUMENTS_BYTES)}"
    if _has_not_begun(call, snapshot):
        return "has not begun."
    return "was not over. Whether it had an effect is unknown."


def _has_not_begun(call: CallRecord, snapshot: Snapshot) -> bool:
    """Return whether the call certainly has not run: it waits for a person's yes, or for a step before it."""
    over = {one.id for one in snapshot.calls if one.status in _OVER}
    if any(before not in over for before in call.after.values()):
        return True
    return call.status is CallStatus.WAITING and not call.attempts


def _shown(value: Any, limit_bytes: int) -> str:
    return cut(canonical_json(value), limit_bytes)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace")) + 1


def fitting(lines: tuple[str, ...], limit_bytes: int) -> tuple[str, ...]:
    """Return as many of the newest lines as fit, with a line that counts those left out; none if nothing fits."""
    if sum(map(_size, lines)) <= limit_bytes:
        return lines
    kept, left_bytes = list[str](), limit_bytes - _LEFT_OUT_BYTES
    for at, line in enumerate(reversed(lines)):
        short = line if _size(line) <= left_bytes else cut(line, max(left_bytes, _LEAST_LINE_BYTES))
        left_bytes -= _size(short)
        if left_bytes < 0:
            return (f"- {len(lines) - at} calls before these are left out here.", *kept)
        kept.insert(0, short)
    return tuple(kept)


# The maximum number of exchanges sent, and the largest size of each side of one, and of all together.
EXCHANGES = 20
_SIDE_BYTES = 6_000
# The question of one whose calls leave no room for it.
_SHORT_BYTES = 200
# What is said of an exchange beside its texts: how it ended, that its calls are not undone, that it was cut off.
_NOTES_BYTES = 150
TOTAL_BYTES = 48_000
# Whole messages are JSON, about four times as large as the texts in them.
WHOLE_BYTES = 4 * TOTAL_BYTES

_Value = TypeVar("_Value")


class Exchange(Struct, frozen=True):
    """One job of the session; `answered` is None if it has no answer: `status` is the reason.

    `messages`: all of the job's messages, for an agent that has a runner; empty: its texts are sent. `files`: of the
    question, as its task names them. `calls`: a line for each of its calls, where they are told.
    `cut`: the model's length limit cut the answer off.
    """

    job_id: str
    question: str
    answered: str | None
    status: str
    messages: str = ""
    files: tuple[dict[str, Any], ...] = ()
    calls: tuple[str, ...] = ()
    cut: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether it has an answer that follows from all of its calls."""
        return self.status == JobStatus.COMPLETED and not self.cut

    @property
    def size_bytes(self) -> int:
        """The size of what is sent, at most."""
        texts = (self.messages,) if self.messages else (self.question, self.answered or "", *self.calls)
        return _NOTES_BYTES + sum(map(_size, texts))

    def within(self, limit_bytes: int) -> "Exchange":
        """Return it as large as there is room for: without its whole messages, then with fewer of its calls.

        Calls of an answer leave half of the room to the exchanges before it.
        """
        if self.size_bytes <= limit_bytes and (self.messages or not self.is_whole):
            return self
        texts = structs.replace(self, messages="")
        if self.is_whole:
            bare = structs.replace(texts, calls=())
            space_bytes = min(limit_bytes // 2, limit_bytes - bare.size_bytes)
            return (
                structs.replace(bare, calls=fitting(self.calls, space_bytes)) if space_bytes > _LEFT_OUT_BYTES else bare
            )
        if texts.size_bytes <= limit_bytes or not self.calls:
            return texts
        short = structs.replace(texts, question=cut(self.question, _SHORT_BYTES), calls=())
        return structs.replace(short, calls=fitting(self.calls, limit_bytes - short.size_bytes))


def is_chat(task: Mapping[str, Any]) -> bool:
    """Return whether a job is part of a chat: then its model is sent the earlier conversation."""
    return isinstance(task.get("chat"), dict)


def continued_owner(task: Mapping[str, Any]) -> str:
    """Return the job that started the operation whose outcome this task tells; empty: it tells none."""
    return _continued(task, "jobId")


def continued_operation(task: Mapping[str, Any]) -> str:
    """Return the operation whose outcome this task tells; empty: it tells none."""
    return _continued(task, "operationId")


def _continued(task: Mapping[str, Any], name: str) -> str:
    chat = task.get("chat")
    return str((chat.get("continues") or {}).get(name) or "") if isinstance(chat, dict) else ""


def replaced_by(task: Mapping[str, Any]) -> str:
    """Return the job whose answer this one replaces; empty: none."""
    chat = task.get("chat")
    return str(chat.get("replaces") or "") if isinstance(chat, dict) else ""


def still_valid(jobs: Sequence[tuple[str, Mapping[str, Any], _Value]]) -> list[_Value]:
    """Select the jobs that are part of the conversation, of a session's jobs (id, task, anything), the oldest first."""
    kept: list[tuple[str, _Value]] = []
    for job_id, task, value in jobs:
        replaced = replaced_by(task)
        place = next((place for place, (other, _) in enumerate(kept) if replaced and other == replaced), len(kept))
        kept[place:] = [(job_id, value)]
    return [value for _, value in kept]


def valid_of_page(
    page: Sequence[Snapshot], elsewhere: Mapping[str, Snapshot], replaced: str
) -> tuple[list[Snapshot], str]:
    """Select the jobs of a session's page that are part of the conversation, the oldest first.

    `page`: its jobs, the oldest first. `elsewhere`: replaced jobs that are not on the page, by id. `replaced`: a
    message of a newer page has replaced this job, with all behind it; empty: none.

    Returns:
        Them, and the job on an older page that is replaced with all behind it; empty: none.
    """
    if not page:
        return [], replaced
    shown = [one for one in page if not is_rolled_back(one.job) and not one.job.is_operation]
    older = {job_id: order(one.job) for job_id, one in elsewhere.items() if not is_rolled_back(one.job)}
    kept, first, begin = list[Snapshot](), "", min(order(one.job) for one in page)
    newer = [(replaced, list[Snapshot]())] if replaced else []
    for target, itself in [*((replaced_by(one.task), [one]) for one in shown), *newer]:
        place = next((place for place, one in enumerate(kept) if one.job.id == target), len(kept))
        if target in older and older[target] < begin:  # with it, all before this one on the page
            place, first, begin = 0, target, older[target]
        kept[place:] = itself
    return kept, first


def order(job: Job) -> tuple[int, str]:
    return job.created_at_ms, job.id


def is_rolled_back(job: Job) -> bool:
    """Return whether a later message has taken the job back: then it is no part of the conversation."""
    return job.error is not None and job.error.type == ROLLED_BACK


# The status of an exchange whose answer another one has replaced: of this one, only its calls are told. The status of
# an operation's outcome whose answer was rolled back: it has come, whatever becomes of that answer.
REPLACED, OUTCOME = "replaced", "outcome"


def ends_early(job: Job) -> bool:
    """Return whether the answer of a job, if there is any, does not follow from all of its calls."""
    result = job.result or {}
    return job.status is not JobStatus.COMPLETED or "stoppedBy" in result or bool(result.get("cut"))


def exchange_of(
    snapshot: Snapshot, messages: str = "", more: Sequence[str] = (), calls: tuple[str, ...] = ()
) -> Exchange:
    """Convert a job to an exchange. `more`: the user's messages while it ran."""
    answer = _answer(snapshot.job)
    question = cut("\n\n".join((question_of(snapshot.task), *more)), _SIDE_BYTES)
    answered = cut(answer, _SIDE_BYTES) if answer else None
    files, stopped_by = _files(snapshot), (snapshot.job.result or {}).get("stoppedBy")
    status = f"stopped by {stopped_by}" if stopped_by else snapshot.job.status
    is_cut = bool((snapshot.job.result or {}).get("cut"))
    return Exchange(snapshot.job.id, question, answered, status, messages, files, calls, is_cut)


# Final failures of a model's call: what it was sent may be the reason.
_OF_MODELS = ("model_error", "ContentFilterError")


def is_refused(job: Job) -> bool:
    """Return whether a model has refused what it was sent: the task's files, or what came before it."""
    return job.error is not None and job.error.type in _OF_MODELS and not job.error.retryable


def _files(snapshot: Snapshot) -> tuple[dict[str, Any], ...]:
    """Return a task's files; where its model has refused them, later ones are told their names alone."""
    files = tuple(snapshot.task.get("files", ()))
    return tuple({**one, "refused": True} for one in files) if is_refused(snapshot.job) else files


def _answer(job: Job) -> str:
    answer = (job.result or {}).get("answer", "")
    return answer if isinstance(answer, str) else canonical_json(answer)


def recorded(exchanges: Sequence[Exchange], limit_bytes: int) -> dict[str, Any]:
    """Build the transcript's entry, of the newest exchanges that fit; messages that do not fit are sent as texts."""
    capacity_bytes, kept = limit_bytes, list[Exchange]()
    for one in reversed(exchanges):
        exchange = one.within(capacity_bytes)
        capacity_bytes -= exchange.size_bytes
        if capacity_bytes < 0 or _answering([*kept, exchange]) > EXCHANGES:
            break
        kept.insert(0, exchange)
    entry: dict[str, Any] = {"role": SESSION_ROLE, "v": ENTRY_VERSION, "exchanges": list(map(_written, kept))}
    left_out = _answering(exchanges) - _answering(kept)
    return {**entry, "leftOut": left_out} if left_out else entry


def _answering(exchanges: Sequence[Exchange]) -> int:
    return sum(one.status not in (REPLACED, OUTCOME) for one in exchanges)


def _written(exchange: Exchange) -> dict[str, Any]:
    written: dict[str, Any] = {"jobId": exchange.job_id, "question": exchange.question, "status": exchange.status}
    answered: dict[str, Any] = {} if exchange.answered is None else {"answer": exchange.answered}
    answered |= {"cut": True} if exchange.cut else {}
    files = {"files": list(exchange.files)} if exchange.files else {}
    calls = {"calls": list(exchange.calls)} if exchange.calls and not exchange.messages else {}
    return written | answered | files | calls | ({"messages": exchange.messages} if exchange.messages else {})


def as_prompt(entry: Mapping[str, Any]) -> tuple[Message, ...]:
    """Convert a transcript's entry to messages for the model, as if all were one conversation."""
    return (*_left_out(entry), *(one for exchange in entry.get("exchanges", ()) for one in _texts(exchange)))


# Stands where nobody answered, in a history whose runner joins messages of the user that follow each other: it would
# take the next question for a part of the last one.
_NO_ANSWER = ModelMessage("[No answer.]")


def as_history(entry: Mapping[str, Any]) -> tuple[Message | str, ...]:
    """Convert a transcript's entry for a runner: as for a model, with each job's own messages if recorded."""
    messages: list[Message | str] = _answered(_left_out(entry))
    for exchange in entry.get("exchanges", ()):
        whole = all(one.url or one.data for one in files_of(exchange))
        messages += [exchange["messages"]] if whole and "messages" in exchange else _answered(_texts(exchange))
    return tuple(messages)


def _answered(messages: Sequence[Message]) -> list[Message | str]:
    answered = list[Message | str]()
    for message, after in zip(messages, (*messages[1:], None), strict=False):
        silent = isinstance(message, UserMessage) and not isinstance(after, ModelMessage)
        answered += [message, _NO_ANSWER] if silent else [message]
    return answered


def _left_out(entry: Mapping[str, Any]) -> tuple[Message, ...]:
    shown = "[Earlier messages of this conversation are left out here.]"
    return (UserMessage(shown, note=True),) if entry.get("leftOut") else ()


def _texts(exchange: Mapping[str, Any]) -> tuple[Message, ...]:
    calls = "\n".join(exchange.get("calls", ()))
    if exchange["status"] == REPLACED:
        return (
            UserMessage(f"[Calls of an answer that another one replaces, which are not undone:]\n{calls}", note=True),
        )
    if exchange["status"] == OUTCOME:
        return (UserMessage(exchange["question"], note=True),)
    asked = UserMessage(exchange["question"], files=files_of(exchange))
    made = f" Its calls, which are not undone:]\n{calls}" if calls else "]"
    if "answer" not in exchange:
        return asked, UserMessage(f"[This was not answered: {exchange['status']}.{made}", note=True)
    is_whole = exchange["status"] == JobStatus.COMPLETED and not exchange.get("cut")
    calls_note = f"[Its calls:]\n{calls}" if is_whole else f"[This ended early: {exchange['status']}.{made}"
    ended = (UserMessage(calls_note, note=True),) if calls else ()
    mark = (UserMessage(CUT_NOTE, note=True),) if exchange.get("cut") else ()
    return asked, *ended, ModelMessage(exchange["answer"]), *mark
