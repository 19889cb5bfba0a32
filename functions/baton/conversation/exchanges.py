"""The earlier exchanges of a session: each of its jobs is a question and its answer, found in the list of jobs.

A job of a chat has `"chat": {"messageId", "replaces"?}` in its task; `replaces` names the job whose answer it replaces:
that one and all after it are no longer part of the conversation. Invariant: the messages follow from what is recorded,
the transcript's entry `{"role": "session", "v": 1, "exchanges": [{"jobId", "asked", "answered"?, "status"}],
"leftOut"?}`, so they are the same in every turn. Nothing else is kept beside the jobs, so nothing can be lost or out of
step with them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from msgspec import Struct

from baton.conversation.fitting import cut
from baton.engine.all_jobs.job_list import Query
from baton.engine.state import Job
from baton.memory.entries import question_of
from baton.models.model import Message, ModelMessage, UserMessage
from baton.sdk.records import ENTRY_VERSION, SESSION_ROLE
from baton.storage.ports.all_jobs import Listing
from baton.storage.ports.jobs import Reader, Snapshot, Store
from baton_events.ids import canonical_json

# How many exchanges are told at most, how large each side of one may be, and all of them together.
EXCHANGES = 20
_SIDE_BYTES = 6_000
TOTAL_BYTES = 48_000

_Carried = TypeVar("_Carried")


class Exchange(Struct, frozen=True):
    """One job of the session; `answered` is None where it has no answer: `status` says why."""

    job_id: str
    asked: str
    answered: str | None
    status: str

    @property
    def size_bytes(self) -> int:
        """Of both sides."""
        return len(self.asked.encode("utf-8", "replace")) + len((self.answered or "").encode("utf-8", "replace"))


def is_chat(task: Mapping[str, Any]) -> bool:
    """Whether a job is part of a chat: then its model is told what was said before."""
    return isinstance(task.get("chat"), dict)


def replaced_by(task: Mapping[str, Any]) -> str:
    """The job whose answer this one is to replace; empty: none."""
    chat = task.get("chat")
    return str(chat.get("replaces") or "") if isinstance(chat, dict) else ""


def still_valid(jobs: Sequence[tuple[str, Mapping[str, Any], _Carried]]) -> list[_Carried]:
    """Of a session's jobs (id, task, anything), the oldest first, those that are part of the conversation."""
    kept: list[tuple[str, _Carried]] = []
    for job_id, task, carried in jobs:
        replaced = replaced_by(task)
        place = next((place for place, (other, _) in enumerate(kept) if replaced and other == replaced), len(kept))
        kept[place:] = [(job_id, carried)]
    return [carried for _, carried in kept]


def exchange_of(snapshot: Snapshot) -> Exchange:
    """A job as an exchange."""
    answer = _answer(snapshot.job)
    asked = cut(question_of(snapshot.task), _SIDE_BYTES)
    return Exchange(snapshot.job.id, asked, cut(answer, _SIDE_BYTES) if answer else None, snapshot.job.status)


def _answer(job: Job) -> str:
    answer = (job.result or {}).get("answer", "")
    return answer if isinstance(answer, str) else canonical_json(answer)


def recorded(exchanges: Sequence[Exchange], limit_bytes: int) -> dict[str, Any]:
    """The transcript's entry, of the newest exchanges that fit."""
    capacity_bytes, kept = limit_bytes, list[Exchange]()
    for exchange in reversed(exchanges[-EXCHANGES:]):
        capacity_bytes -= exchange.size_bytes
        if capacity_bytes < 0:
            break
        kept.insert(0, exchange)
    entry: dict[str, Any] = {"role": SESSION_ROLE, "v": ENTRY_VERSION, "exchanges": list(map(_written, kept))}
    left_out = len(exchanges) - len(kept)
    return {**entry, "leftOut": left_out} if left_out else entry


def _written(exchange: Exchange) -> dict[str, Any]:
    written = {"jobId": exchange.job_id, "asked": exchange.asked, "status": exchange.status}
    return written if exchange.answered is None else {**written, "answered": exchange.answered}


def as_prompt(entry: Mapping[str, Any]) -> tuple[Message, ...]:
    """What the model is told of a transcript's entry: messages as if all were one conversation."""
    messages: list[Message] = []
    if entry.get("leftOut"):
        messages.append(UserMessage("[Earlier messages of this conversation are left out here.]", note=True))
    for exchange in entry.get("exchanges", ()):
        messages.append(UserMessage(exchange["asked"]))
        if "answered" in exchange:
            messages.append(ModelMessage(exchange["answered"]))
        else:
            messages.append(UserMessage(f"[This was not answered: {exchange['status']}.]", note=True))
    return tuple(messages)


# Also those that were replaced are found, and are left out.
_ROWS = 2 * EXCHANGES


class Earlier(Protocol):
    """Whoever knows what was said before."""

    async def before(self, job: Job, task: Mapping[str, Any]) -> tuple[Exchange, ...]:
        """The session's exchanges before this job, the oldest first. Raises StoreError."""
        ...


class EarlierJobs:
    """`Earlier` from the jobs of the session."""

    def __init__(self, listing: Listing, reader: Reader, store: Store) -> None:
        self._listing = listing
        self._reader = reader
        self._store = store

    async def before(self, job: Job, task: Mapping[str, Any]) -> tuple[Exchange, ...]:
        """The session's exchanges before this job."""
        query = Query(tenant=job.tenant, session_id=job.session_id, before_ms=job.created_at_ms + 1)
        scanned = await self._listing.scan(query, "", _ROWS)
        found = await self._reader.jobs([row.job_id for row in scanned.found])
        earlier = sorted((one for one in found.values() if _is_before(one.job, job)), key=lambda one: _order(one.job))
        # What this job replaces is left out, together with what came after that.
        kept = still_valid([*((one.job.id, one.task, one) for one in earlier), (job.id, task, None)])
        return tuple([exchange_of(await self._ended(one)) for one in kept if one is not None])

    async def _ended(self, snapshot: Snapshot) -> Snapshot:
        """A read may be older than the end that let the next job begin: the store's scripts are not."""
        if snapshot.job.ended:
            return snapshot
        loaded = await self._store.load(snapshot.job.id)
        return replace(snapshot, job=loaded.job) if loaded else snapshot


def _is_before(other: Job, job: Job) -> bool:
    """Rows tell sessions apart by a short mark only."""
    return (other.tenant, other.session_id) == (job.tenant, job.session_id) and _order(other) < _order(job)


def _order(job: Job) -> tuple[int, str]:
    return job.created_at_ms, job.id
