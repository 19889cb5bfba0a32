"""The demo model's knowledge at a turn: the question, the tools' results so far, and its memory.

Invariant: notes are read from the messages alone, so the same history gives the same notes in any process. A memory is
quoted word for word, with its source. A result in an unexpected form is skipped, never an error. Must not: decide the
next step, or know how memory is kept.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from baton.sdk.models.model import Message, ModelMessage, PastCall, ToolMessage, UserMessage
from baton_events.ids import canonical_json

_ORDER = re.compile(r"(?:please )?(?:remember|note)(?: that\b|:)?\s+(?P<what>.+)", re.IGNORECASE | re.DOTALL)
# The format of `functions/baton/sdk/memory/entries.py`; the lines of one entry are indented.
_MEMORY_LINE = re.compile(r"^- (\d{4}-\d\d-\d\d), (this|another) conversation: (.*(?:\n  .*)*)", re.MULTILINE)
_EXCHANGE = re.compile(r"Asked: (?P<asked>.*?)\n\s*Answered: (?P<answered>.*)", re.DOTALL)
_SOURCE = re.compile(r"\s*\[[^\]\n]*\]")
_DATE_CHARS = len("2026-01-01")


def to_remember(question: str) -> str:
    """Return the text that the model should remember; empty: the question is no such order."""
    order = _ORDER.match(question.strip())
    return order["what"].strip() if order else ""


def prompt_entries(note: str) -> list[tuple[str, str]]:
    """Parse the entries in a note of the prompt into their sources and texts."""
    return _entries((f"{which} conversation, {date}", text) for date, which, text in _MEMORY_LINE.findall(note))


def recalled_entries(result: Any) -> list[tuple[str, str]]:
    """Read the entries in a result of `recall`: their sources and texts."""
    rows = result.get("entries") if isinstance(result, Mapping) else None
    return _entries(
        (f"memory, {str(row.get('createdAt', ''))[:_DATE_CHARS]}", str(row.get("text", "")))
        for row in (rows if isinstance(rows, list) else [])
        if isinstance(row, Mapping)
    )


def _entries(found: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Reduce exchanges to their answers, without sources; drop orders to remember, which are notes already."""
    entries: list[tuple[str, str]] = []
    for where, text in found:
        exchange = _EXCHANGE.match(text)
        if exchange is None:
            entries.append((where, text))
        elif not to_remember(exchange["asked"]):
            entries.append((where, without_sources(exchange["answered"])))
    return entries


def without_sources(answer: str) -> str:
    """Remove the sources that an answer of this model names."""
    return _SOURCE.sub("", answer)


_MAX_ERROR_CHARS = 160
_THIS_CONVERSATION = "said before"


class Notes(Struct):
    """All questions and findings.

    Attributes:
        used: names of the tools called so far, whether they worked or not.
        files: paths that were listed.
        hits: search word → path → number of hits; a word whose search failed is missing.
        lines: path → lines that searches showed, for when no tool reads files.
        texts: path → the text that was read.
        word_counts: path → words.
        report: the path of the report.
        remembered: source → remembered text.
        noted: the outcome of an order to remember something.
        found_texts: results of tools of other names: the tool with its request, and its result in a line.
        errors: one line for each call that failed.
    """

    question: str = ""
    used: set[str] = field(default_factory=set)
    files: list[str] = field(default_factory=list)
    hits: dict[str, dict[str, int]] = field(default_factory=dict)
    lines: dict[str, list[str]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    word_counts: dict[str, int] = field(default_factory=dict)
    report: str = ""
    remembered: dict[str, str] = field(default_factory=dict)
    noted: str = ""
    found_texts: list[tuple[str, str]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def read_notes(messages: Sequence[Message]) -> Notes:
    """Read the messages since the last task."""
    start = max((index for index, message in enumerate(messages) if _is_task(message)), default=0)
    notes = Notes()
    for message in messages:
        if isinstance(message, UserMessage) and message.note:
            _note_entries(notes, prompt_entries(message.text))
    found_texts = (message.text for message in messages[:start] if isinstance(message, ModelMessage))
    _note_entries(notes, [(_THIS_CONVERSATION, without_sources(text)) for text in found_texts])
    calls: dict[str, PastCall] = {}
    for message in messages[start:]:
        if isinstance(message, UserMessage):
            notes.question = notes.question if message.note else _question(message)
        elif isinstance(message, ModelMessage):
            calls.update({call.call_id: call for call in message.calls})
        else:
            _note_result(notes, message, calls.get(message.call_id))
    return notes


def _is_task(message: Message) -> bool:
    return isinstance(message, UserMessage) and not message.note


def _question(message: UserMessage) -> str:
    other = message.data.get("question")
    return message.text.strip() or (other.strip() if isinstance(other, str) else "")


def _note_result(notes: Notes, message: ToolMessage, call: PastCall | None) -> None:
    notes.used.add(message.tool)
    if message.is_error:
        notes.errors.append(f"{message.tool}: {_error_text(message.content)}")
        return
    requested = _first_text(call.arguments) if call else ""
    note = _NOTES_BY_TOOL.get(message.tool)
    if note:
        note(notes, requested, message.content)
    elif call:
        _note_found(notes, call, message.content)


def _note_listing(notes: Notes, _requested: str, content: Any) -> None:
    rows = content.get("files", []) if isinstance(content, Mapping) else content
    if isinstance(rows, str):
        rows = rows.splitlines()
    notes.files += [path for row in rows if (path := _path_of(row))] if isinstance(rows, Sequence) else []


def _note_search(notes: Notes, requested: str, content: Any) -> None:
    rows = content.get("hits", []) if isinstance(content, Mapping) else content
    rows = [row for row in rows if _path_of(row)] if isinstance(rows, list) else []
    counts = content.get("files") if isinstance(content, Mapping) else None
    if not isinstance(counts, Mapping):
        counts = {}
        for row in rows:
            counts[_path_of(row)] = counts.get(_path_of(row), 0) + 1
    notes.hits[requested] = {str(path): count for path, count in counts.items() if isinstance(count, int) and count > 0}
    for row in rows:
        if isinstance(row, Mapping) and isinstance(row.get("text"), str):
            notes.lines.setdefault(_path_of(row), []).append(row["text"])


def _note_text(notes: Notes, requested: str, content: Any) -> None:
    text = content.get("text", content.get("content")) if isinstance(content, Mapping) else content
    if isinstance(text, str) and text.strip():
        notes.texts[requested] = text


def _note_count(notes: Notes, requested: str, content: Any) -> None:
    words = content.get("words") if isinstance(content, Mapping) else content
    if isinstance(words, int):
        notes.word_counts[requested] = words


def _note_report(notes: Notes, _requested: str, content: Any) -> None:
    notes.report = _path_of(content)


def _note_kept(notes: Notes, requested: str, content: Any) -> None:
    kept = content if isinstance(content, Mapping) else {}
    note = f" ({kept['note']})" if kept.get("note") else ""
    notes.noted = f"I will remember: {requested}{note}" if kept.get("remembered") else f"I could not keep that{note}."


def _note_recalled(notes: Notes, _requested: str, content: Any) -> None:
    _note_entries(notes, recalled_entries(content))


def _note_entries(notes: Notes, entries: list[tuple[str, str]]) -> None:
    for where, text in entries:
        notes.remembered[where] = "\n\n".join(filter(None, (notes.remembered.get(where), text)))


def _note_found(notes: Notes, call: PastCall, content: Any) -> None:
    """Note the result of another tool with its request; an agent's answer stands without one."""
    requested = "" if "task" in call.arguments else _first_text(call.arguments)
    found_texts = content if isinstance(content, str) else canonical_json(content)
    notes.found_texts.append((f"{call.tool} {requested}".strip(), found_texts))


_NOTES_BY_TOOL = {
    "list_files": _note_listing,
    "search_files": _note_search,
    "read_file": _note_text,
    "count_words": _note_count,
    "write_report": _note_report,
    "remember": _note_kept,
    "recall": _note_recalled,
}


def _path_of(row: Any) -> str:
    """Return the path in a row: the row itself, or its `path` or `name`; empty where there is none."""
    path = row.get("path", row.get("name")) if isinstance(row, Mapping) else row
    return path if isinstance(path, str) else ""


def _first_text(arguments: Mapping[str, Any]) -> str:
    return next((value for value in arguments.values() if isinstance(value, str)), "")


def _error_text(content: Any) -> str:
    text = content.get("message", content) if isinstance(content, Mapping) else content
    line = " ".join(str(text).split())
    return line if len(line) <= _MAX_ERROR_CHARS else f"{line[: _MAX_ERROR_CHARS - 1]}…"
