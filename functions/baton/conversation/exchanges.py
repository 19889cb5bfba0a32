"""What was said before in a session: each of its jobs is an exchange, a question and its answer. Pure.

A job of a chat says so in its task: `"chat": {"messageId", "replaces"?}`; `replaces` names the job whose answer it is
to replace: that one and all after it are no longer part of the conversation. Invariant: what a model is told follows
from what is recorded, the transcript's entry `{"role": "session", "v": 1, "exchanges": [{"jobId", "asked", "answered"?,
"status"}], "leftOut"?}`, so every turn is told the same.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from msgspec import Struct

from baton.conversation.shortening import cut
from baton.core.state import Job
from baton.core.transcript import ENTRY_VERSION, SESSION_ROLE
from baton.memory.entries import question_of
from baton.models.model import Message, ModelMessage, UserMessage
from baton.ports import Snapshot
from baton_events.ids import canonical_json

# How many exchanges are told at most, how large each side of one may be, and all of them together.
EXCHANGES = 20
_SIDE_BYTES = 6_000
TOTAL_BYTES = 48_000

_Told = TypeVar("_Told")


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


def still_valid(jobs: Sequence[tuple[str, Mapping[str, Any], _Told]]) -> list[_Told]:
    """Of a session's jobs (id, task, anything), the oldest first, those that are part of the conversation."""
    kept: list[tuple[str, _Told]] = []
    for job_id, task, told in jobs:
        replaced = replaced_by(task)
        place = next((place for place, (other, _) in enumerate(kept) if replaced and other == replaced), len(kept))
        kept[place:] = [(job_id, told)]
    return [told for _, told in kept]


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
    room_bytes, kept = limit_bytes, list[Exchange]()
    for exchange in reversed(exchanges[-EXCHANGES:]):
        room_bytes -= exchange.size_bytes
        if room_bytes < 0:
            break
        kept.insert(0, exchange)
    entry: dict[str, Any] = {"role": SESSION_ROLE, "v": ENTRY_VERSION, "exchanges": list(map(_written, kept))}
    left_out = len(exchanges) - len(kept)
    return {**entry, "leftOut": left_out} if left_out else entry


def _written(exchange: Exchange) -> dict[str, Any]:
    written = {"jobId": exchange.job_id, "asked": exchange.asked, "status": exchange.status}
    return written if exchange.answered is None else {**written, "answered": exchange.answered}


def told(entry: Mapping[str, Any]) -> tuple[Message, ...]:
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
