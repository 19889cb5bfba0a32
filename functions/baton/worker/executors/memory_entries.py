"""Memory entries: of a job's question and answer, or of a note by a tool call. Pure.

Invariant: an entry follows from the records of the job or the call, so every attempt makes the same one.
"""

from typing import Any

from baton.engine.state import Job
from baton.sdk.memory.entries import NOTE_LIMIT_CHARS, question_of
from baton.sdk.records.memory import MemoryEntry

QUESTION_LIMIT_CHARS = 1_500
ANSWER_LIMIT_CHARS = 2_500


def exchange_of(job: Job, task: dict[str, Any]) -> MemoryEntry | None:
    """Return a completed job's question and answer; None where it has no whole answer in words."""
    result = job.result or {}
    answer = None if result.get("cut") else result.get("answer")
    question = question_of(task)
    if not isinstance(answer, str) or not answer.strip() or not question:
        return None
    shown_question, answered = _cut(question, QUESTION_LIMIT_CHARS), _cut(answer.strip(), ANSWER_LIMIT_CHARS)
    return MemoryEntry(
        id=job.id,
        kind="exchange",
        text=f"Asked: {shown_question}\nAnswered: {answered}",
        session_id=job.session_id,
        agent=job.agent,
        job_id=job.id,
        created_ms=job.created_at_ms,
    )


def note_of(job: Job, call_id: str, text: str) -> MemoryEntry:
    return MemoryEntry(
        id=call_id,
        kind="note",
        text=_cut(text.strip(), NOTE_LIMIT_CHARS),
        session_id=job.session_id,
        agent=job.agent,
        job_id=job.id,
        created_ms=job.created_at_ms,
    )


def _cut(text: str, limit_chars: int) -> str:
    if len(text) <= limit_chars:
        return text
    note = f" [cut: {len(text)} characters]"
    return text[: limit_chars - len(note)] + note
