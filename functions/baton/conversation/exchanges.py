"""The earlier exchanges of a session: each of its jobs is a question and its answer, found in the list of jobs.

A job of a chat has `"chat": {"messageId", "replaces"?}` in its task; `replaces` names the job whose answer it replaces:
that one and all after it are no longer part of the conversation. Invariant: the messages follow from recorded entries,
the transcript's `{"role": "session", "v": 1, "exchanges": [{"jobId", "asked", "answered"?, "status", "messages"?,
"files"?}], "leftOut"?}`, so they are the same in every turn. Only files are stored beside the jobs, so nothing else can
be lost or disagree with them.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from msgspec import Struct, structs

from baton.conversation.fitting import cut
from baton.engine.all_jobs.job_list import Query
from baton.engine.lifecycle import ROLLED_BACK
from baton.engine.state import Job
from baton.engine.transitions import JobStatus
from baton.memory.entries import question_of
from baton.models.model import Message, ModelMessage, UserMessage, files_of
from baton.sdk.records import ENTRY_VERSION, SESSION_ROLE, messages_in, turns_of
from baton.storage.ports.all_jobs import Listing
from baton.storage.ports.jobs import Reader, Snapshot, Store
from baton_events.ids import canonical_json

# The maximum number of exchanges sent, and the largest size of each side of one, and of all together.
EXCHANGES = 20
_SIDE_BYTES = 6_000
TOTAL_BYTES = 48_000
# Whole messages are JSON, about four times as large as the texts in them.
WHOLE_BYTES = 4 * TOTAL_BYTES

_Value = TypeVar("_Value")


# Builds the messages of a job with these turns, as `Runner.messages` does.
MessagesOf = Callable[[Sequence[dict[str, Any]], Mapping[str, dict[str, Any]]], str]


class Exchange(Struct, frozen=True):
    """One job of the session; `answered` is None if it has no answer: `status` is the reason.

    `messages`: all of the job's messages, for an agent that has a runner; empty: its texts are sent. `files`: of the
    question, as its task names them.
    """

    job_id: str
    question: str
    answered: str | None
    status: str
    messages: str = ""
    files: tuple[dict[str, Any], ...] = ()

    @property
    def size_bytes(self) -> int:
        """The size of what is sent."""
        if self.messages:
            return len(self.messages.encode("utf-8", "replace"))
        return len(self.question.encode("utf-8", "replace")) + len((self.answered or "").encode("utf-8", "replace"))


def is_chat(task: Mapping[str, Any]) -> bool:
    """Return whether a job is part of a chat: then its model is sent the earlier conversation."""
    return isinstance(task.get("chat"), dict)


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


def is_rolled_back(job: Job) -> bool:
    """Return whether a later message has taken the job back: then it is no part of the conversation."""
    return job.error is not None and job.error.type == ROLLED_BACK


def exchange_of(snapshot: Snapshot, messages: str = "", more: Sequence[str] = ()) -> Exchange:
    """Convert a job to an exchange. `more`: the user's messages while it ran."""
    answer = _answer(snapshot.job)
    question = cut("\n\n".join((question_of(snapshot.task), *more)), _SIDE_BYTES)
    answered = cut(answer, _SIDE_BYTES) if answer else None
    files = tuple(snapshot.task.get("files", ()))
    return Exchange(snapshot.job.id, question, answered, snapshot.job.status, messages, files)


def _answer(job: Job) -> str:
    answer = (job.result or {}).get("answer", "")
    return answer if isinstance(answer, str) else canonical_json(answer)


def recorded(exchanges: Sequence[Exchange], limit_bytes: int) -> dict[str, Any]:
    """Build the transcript's entry, of the newest exchanges that fit; messages that do not fit are sent as texts."""
    capacity_bytes, kept = limit_bytes, list[Exchange]()
    for one in reversed(exchanges[-EXCHANGES:]):
        exchange = structs.replace(one, messages="") if one.size_bytes > capacity_bytes else one
        capacity_bytes -= exchange.size_bytes
        if capacity_bytes < 0:
            break
        kept.insert(0, exchange)
    entry: dict[str, Any] = {"role": SESSION_ROLE, "v": ENTRY_VERSION, "exchanges": list(map(_written, kept))}
    left_out = len(exchanges) - len(kept)
    return {**entry, "leftOut": left_out} if left_out else entry


def _written(exchange: Exchange) -> dict[str, Any]:
    written: dict[str, Any] = {"jobId": exchange.job_id, "asked": exchange.question, "status": exchange.status}
    answered = {} if exchange.answered is None else {"answered": exchange.answered}
    files = {"files": list(exchange.files)} if exchange.files else {}
    return written | answered | files | ({"messages": exchange.messages} if exchange.messages else {})


def as_prompt(entry: Mapping[str, Any]) -> tuple[Message, ...]:
    """Convert a transcript's entry to messages for the model, as if all were one conversation."""
    return (*_left_out(entry), *(one for exchange in entry.get("exchanges", ()) for one in _texts(exchange)))


def as_history(entry: Mapping[str, Any]) -> tuple[Message | str, ...]:
    """Convert a transcript's entry for a runner: as for a model, with each job's own messages if recorded."""
    messages: list[Message | str] = [*_left_out(entry)]
    for exchange in entry.get("exchanges", ()):
        whole = all(one.url or one.data for one in files_of(exchange))
        messages += [exchange["messages"]] if whole and "messages" in exchange else _texts(exchange)
    return tuple(messages)


def _left_out(entry: Mapping[str, Any]) -> tuple[Message, ...]:
    shown = "[Earlier messages of this conversation are left out here.]"
    return (UserMessage(shown, note=True),) if entry.get("leftOut") else ()


def _texts(exchange: Mapping[str, Any]) -> tuple[Message, ...]:
    asked = UserMessage(exchange["asked"], files=files_of(exchange))
    if "answered" in exchange:
        return asked, ModelMessage(exchange["answered"])
    return asked, UserMessage(f"[This was not answered: {exchange['status']}.]", note=True)


# Replaced jobs are found as well, and are left out.
_ROWS = 2 * EXCHANGES


class Earlier(Protocol):
    """A source of the earlier conversation."""

    async def before(
        self, job: Job, task: Mapping[str, Any], messages_of: MessagesOf | None = None
    ) -> tuple[Exchange, ...]:
        """Read the session's exchanges before this job, the oldest first; with whole messages, if these can be made.

        Raises:
            StoreError: the store does not answer.
        """
        ...


class EarlierJobs:
    """`Earlier` from the jobs of the session."""

    def __init__(self, listing: Listing, reader: Reader, store: Store) -> None:
        self._listing = listing
        self._reader = reader
        self._store = store

    async def before(
        self, job: Job, task: Mapping[str, Any], messages_of: MessagesOf | None = None
    ) -> tuple[Exchange, ...]:
        """Read the session's exchanges before this job."""
        query = Query(tenant=job.tenant, session_id=job.session_id, before_ms=job.created_at_ms + 1)
        scanned = await self._listing.scan(query, "", _ROWS)
        found = await self._reader.jobs([row.job_id for row in scanned.found])
        earlier = sorted((one for one in found.values() if _is_before(one.job, job)), key=lambda one: _order(one.job))
        # The job that this one replaces is left out, with all jobs after it.
        kept = still_valid([*((one.job.id, one.task, one) for one in earlier), (job.id, task, None)])
        now = [await self._ended(one) for one in kept if one is not None]
        ended = [one for one in now if not is_rolled_back(one.job) and not _has_a_continuation(one.job)]
        if messages_of is None:
            sent = await asyncio.gather(*map(self._sent, ended))
            return tuple([exchange_of(one, more=texts) for one, texts in zip(ended, sent, strict=True)])
        newest = ended[-EXCHANGES:]
        messages = await asyncio.gather(*(self._messages(one.job, messages_of) for one in newest))
        return (*map(exchange_of, ended[:-EXCHANGES]), *map(exchange_of, newest, messages))

    async def _sent(self, snapshot: Snapshot) -> list[str]:
        """Read the user's messages to a job while it ran."""
        if not snapshot.messages:
            return []
        return [text for _, text in messages_in(await self._reader.transcript(snapshot.job.id))]

    async def _messages(self, job: Job, messages_of: MessagesOf) -> str:
        """Return a job's messages; empty if calls have no answer, or the read is older than the job's last turn."""
        if job.status is not JobStatus.COMPLETED or "stoppedBy" in (job.result or {}):
            return ""
        turns = turns_of(await self._reader.transcript(job.id), job.first_turn)
        if not turns or turns[-1]["turn"] != job.turn:
            return ""
        try:
            return messages_of(turns, {})
        except LookupError:  # the calls' results have more: a large file is stored once
            snapshot = await self._reader.job(job.id)
            return messages_of(turns, snapshot.results) if snapshot else ""

    async def _ended(self, snapshot: Snapshot) -> Snapshot:
        """Return the job as it ended: a read may be older than the end that let the next job begin; a load is not."""
        if snapshot.job.ended:
            return snapshot
        loaded = await self._store.load(snapshot.job.id)
        return replace(snapshot, job=loaded.job) if loaded else snapshot


def _has_a_continuation(job: Job) -> bool:
    """Return whether a job of its own continues it: an operation's, unless it was cancelled."""
    return job.is_operation and job.status is not JobStatus.CANCELLED


def _is_before(other: Job, job: Job) -> bool:
    """Return whether the other job comes before: rows distinguish sessions only by a short mark."""
    return (other.tenant, other.session_id) == (job.tenant, job.session_id) and _order(other) < _order(job)


def _order(job: Job) -> tuple[int, str]:
    return job.created_at_ms, job.id
