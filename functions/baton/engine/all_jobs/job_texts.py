"""The texts by which a search finds jobs, pure: how they are stored, and which of them match a query.

A text is `x:TIME:JOB:MARKS:PART:TEXT`, a member beside the job's row on its tenant's shelf. PART `q` is its task
with its input, written at its submission. PART `r` is its answer and error, written at its end in place of an earlier
run's. So a text is removed with its row. It is a hint, as a row is: the job's present text is read from the job.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from baton.engine.all_jobs.job_list import Found, Query, Row, bounds, index_of, matching, members
from baton.engine.state import Job
from baton.sdk.records.redaction import redacted
from baton.sdk.tools.sentence import called

# The searchable length of a task, of an answer and of an error.
SEARCHED_CHARS = 1_000
_TEXT, _TASK, _OUTCOME = "x", "q", "r"
_PHRASE = r'"([^"]*)"|([^\s"]+)'  # compiled at a search: every cold start pays for a module
_ESCAPED = str.maketrans({sign: f"\\{sign}" for sign in "\\*?[]"})


def words_of(text: str) -> tuple[str, ...]:
    """Parse a search into words, and phrases in quotes: each must occur, in upper or lower case."""
    parts = (_plain(phrase or word) for phrase, word in re.findall(_PHRASE, text))
    return tuple(dict.fromkeys(part for part in parts if part))


def task_text(job: Job, task: Mapping[str, Any]) -> str:
    """Return the searchable text of a task with its input, the title made of that, and the event that is handled."""
    text, data = task.get("text") or "", redacted(task.get("data"))
    title = called(job.agent, data) if isinstance(data, dict) and not text else ""
    return _searched(f"{text} {job.handles[0]} {title} {json.dumps(data, ensure_ascii=False) if data else ''}")


def outcome_text(job: Job) -> str:
    """Return the searchable text of an ended job's answer and error."""
    answer = (job.result or {}).get("answer", job.result)
    error = f"{job.error.type}: {job.error.message}" if job.error else ""
    return " ".join(part for part in (_searched(answer), _searched(error)) if part)


def mentions(words: Iterable[str], job: Job, task: Mapping[str, Any]) -> bool:
    """Return whether a job's present texts have all of these words."""
    text = f"{task_text(job, task)}\n{outcome_text(job) if job.ended else ''}"
    return all(word in text for word in words)


def _searched(value: Any) -> str:
    shown = redacted(value)
    text = shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False) if shown else ""
    return _plain(text[: 2 * SEARCHED_CHARS])[:SEARCHED_CHARS]


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def with_texts(row: Row) -> tuple[str, ...]:
    """Return a job's rows, and the text that is written with them."""
    rows = members(row)
    if not row.text or not rows[0].startswith("a:"):
        return rows
    return (*rows, f"{_TEXT}{rows[0][1:]}:{_OUTCOME if row.status else _TASK}:{row.text}")


def outcomes_before(row: Row) -> tuple[str, str] | None:
    """Return the range of an earlier run's text, which an end replaces; None: there was no such run."""
    first = members(row)[0]
    begin = f"{_TEXT}{first[1:]}:{_OUTCOME}"
    return (f"{begin}:", f"{begin};") if row.status and row.run > 1 and first.startswith("a:") else None


def texts_of(one: Found) -> tuple[str, str]:
    """Return the range of all texts of a job, to remove them."""
    begin = f"{_TEXT}:{one.position.removesuffix(':')}"
    return f"{begin}:", f"{begin};"


def is_text(member: str) -> bool:
    return member.startswith(f"{_TEXT}:")


def row_of_text(text: str) -> str:
    return f"a:{':'.join(text.split(':', 4)[1:4])}"


def longest_word(query: Query) -> str:
    """Return the word that the store looks for; the others are checked in the jobs that it finds."""
    return max(query.words, key=len)


def pattern(query: Query) -> str:
    """Return the store's pattern for texts with this word; it also matches texts whose marks have the word."""
    return f"{_TEXT}:*{longest_word(query).translate(_ESCAPED)}*"


def hits(query: Query, before: str, texts: Iterable[str]) -> list[Found]:
    """Return the jobs of these texts that may match a query, newest first."""
    highest, lowest = (end.removeprefix(f"{index_of(query)}:") for end in bounds(query, before))
    word = longest_word(query)
    found = matching(query, {row_of_text(text) for text in texts if word in text.split(":", 5)[5]})
    inside = [one for one in found if lowest <= one.position < highest]
    return sorted(inside, key=lambda one: one.position, reverse=True)
