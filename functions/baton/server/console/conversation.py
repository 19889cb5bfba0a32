"""A session's jobs as a conversation: each question, the agent's steps, and its answer. Pure.

Invariant: each job is one exchange, in the order in which the jobs were created. An exchange that is no longer part of
the conversation is marked, and stays. Parts that a newer version adds to a job's stream are left out, and are never an
error.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from baton.sdk.memory.entries import question_of
from baton.server.api.sessions.ui_message import Part, assistant_message
from baton.server.console.shown import job_shown, one_line, pretty
from baton.settings.service_prices import Prices
from baton.store.records.jobs import Snapshot, StoredParts
from baton.worker.conversation.exchanges import is_rolled_back, still_valid
from baton.worker.runtime.job_view import continues_of

# The notes shown of one answer; the page of its job has all of them.
MOST_NOTES = 100


@dataclass(frozen=True, slots=True)
class Note:
    """A piece of an answer.

    Attributes:
        kind: `text`, `user` (said while the job ran), `tool`, `mark` (an approval, an operation, memory), or `bad`
            (a call that failed).
        href: the address that it links to; empty: none.
    """

    kind: str
    what: str = ""
    text: str = ""
    href: str = ""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One job of a session, as its page shows it.

    Attributes:
        job: its row, with tenant, cost and duration. stamp: differs where the exchange has changed.
        role: the asker's; empty: the session continued by itself. files: their names.
        notes: the steps to the answer, which is the last text. left_out: the number of older ones.
        valid: whether it is part of the conversation; a later message may have replaced it, or taken it back.
    """

    job: dict[str, Any]
    stamp: str
    role: str
    question: str
    files: tuple[str, ...]
    notes: tuple[Note, ...]
    left_out: int
    answer: str
    valid: bool


def conversation(
    jobs: Sequence[Snapshot], stored: Sequence[StoredParts], prices: Prices, now_ms: int
) -> list[Exchange]:
    """Build the exchanges of these jobs, in the order of the jobs, the oldest first."""
    current = [one for one in jobs if not is_rolled_back(one.job) and not one.job.is_operation]
    valid = set(still_valid([(one.job.id, one.task, one.job.id) for one in current]))
    return [
        _exchange(one, parts, prices, now_ms, valid=one.job.id in valid or one.job.is_operation)
        for one, parts in zip(jobs, stored, strict=True)
    ]


def answer_of(snapshot: Snapshot) -> str:
    """Return a job's answer as a text; empty: it has none."""
    result = snapshot.job.result
    return pretty(result.get("answer", result)) if result else ""


def _exchange(snapshot: Snapshot, stored: StoredParts, prices: Prices, now_ms: int, *, valid: bool) -> Exchange:
    task, shown, answer = snapshot.task, job_shown(snapshot, prices, now_ms), answer_of(snapshot)
    notes = list(_noted(snapshot.job.id, assistant_message(snapshot.job.id, "", stored.parts)["parts"]))
    notes += [Note("user", "user", str(json.loads(text)["text"])) for text in snapshot.messages.values() if text]
    if not answer and notes and notes[-1].kind == "text":
        answer = notes[-1].text  # the text so far, or the last one before it failed
    notes = [note for note in notes if (note.kind, note.text) != ("text", answer)]
    by_itself = snapshot.job.is_operation or continues_of(task)
    files = (str(file.get("filename") or file.get("name") or file["mediaType"]) for file in task.get("files", ()))
    changing = (shown["status"], shown["updatedAt"], shown["waitingFor"], stored.first + len(stored.parts), valid)
    return Exchange(
        job=shown,
        stamp=" ".join(map(str, changing)),
        role="" if by_itself else str((task.get("chat") or {}).get("role") or "user"),
        question="" if by_itself else question_of(task),
        files=tuple(files),
        notes=tuple(notes[-MOST_NOTES:]),
        left_out=max(0, len(notes) - MOST_NOTES),
        answer=answer,
        valid=valid,
    )


def _noted(job_id: str, parts: Iterable[Part]) -> Iterable[Note]:
    """Convert the parts of an answer to notes; a repeated part of an approval or operation replaces the earlier one."""
    notes: dict[str, Note] = {}
    for number, part in enumerate(parts):
        try:
            note = _note(job_id, part)
        except (KeyError, TypeError, ValueError, AttributeError):  # of another version, in another shape
            continue
        if note is not None:
            data = part.get("data") or {}
            notes[str(part.get("id") or data.get("operationId") or data.get("callId") or number)] = note
    return notes.values()


def _note(job_id: str, part: Part) -> Note | None:
    kind, data = part["type"], part.get("data", {})
    match kind:
        case "text":
            return Note("text", text=part["text"]) if part["text"] else None
        case "data-message":
            return Note("user", str(data.get("role", "user")), data["text"])
        case "data-checkpoint":
            return Note(
                "mark", f"approval, {data['status']}", str(data["title"]), f"/console/approvals/{quote(data['id'])}"
            )
        case "data-operation":
            below = f"/console/jobs/{quote(data['jobId'])}" if data.get("jobId") else ""
            return Note("mark", f"{data.get('tool', 'operation')}, {data['status']}", "", below)
        case "data-memory":
            return Note("mark", "memory", f"{data['entries']} entries retrieved") if data["entries"] else None
        case _:
            return _tool_note(job_id, part) if kind.startswith("tool-") else None


def _tool_note(job_id: str, part: Part) -> Note:
    href = f"/console/jobs/{quote(job_id)}/calls/{quote(part['toolCallId'])}"
    text, failed = one_line(part["input"]), part["state"] == "output-error"
    if failed:
        text += f" → {one_line(part['errorText'])}"
    elif part["state"] == "output-available":
        text += f" → {one_line(part['output'])}"
    return Note("bad" if failed else "tool", part["type"].removeprefix("tool-"), text, href)
