"""What the demo model does with memory: keeps what it is told to remember, and reads what was remembered.

Invariant: it quotes what stands in an entry, word for word, and says where it was said. Must not: know how memory is
kept; it reads what a model is told, and what the tools `remember` and `recall` say.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

_ORDER = re.compile(r"(?:please )?(?:remember|note)(?: that\b|:)?\s+(?P<what>.+)", re.IGNORECASE | re.DOTALL)
# As `functions/baton/memory/recollection.py` tells it; the lines of one entry are indented.
_TOLD = re.compile(r"^- (\d{4}-\d\d-\d\d), (this|another) conversation: (.*(?:\n  .*)*)", re.MULTILINE)
_EXCHANGE = re.compile(r"Asked: (?P<asked>.*?)\n\s*Answered: (?P<answered>.*)", re.DOTALL)
_SOURCE = re.compile(r"\s*\[[^\]\n]*\]")
_DATE_CHARS = len("2026-01-01")


def to_remember(question: str) -> str:
    """What the model is told to remember; empty: it is asked something else."""
    order = _ORDER.match(question.strip())
    return order["what"].strip() if order else ""


def told_entries(note: str) -> list[tuple[str, str]]:
    """The entries in what a model is told besides: where each was said, and its text."""
    return _entries((f"{which} conversation, {date}", text) for date, which, text in _TOLD.findall(note))


def recalled_entries(result: Any) -> list[tuple[str, str]]:
    """The entries in a result of `recall`: where each was said, and its text."""
    rows = result.get("entries") if isinstance(result, Mapping) else None
    return _entries(
        (f"memory, {str(row.get('createdAt', ''))[:_DATE_CHARS]}", str(row.get("text", "")))
        for row in (rows if isinstance(rows, list) else [])
        if isinstance(row, Mapping)
    )


def _entries(found: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Of questions and answers the answers, without the sources named there; orders to remember are notes already."""
    entries: list[tuple[str, str]] = []
    for where, text in found:
        exchange = _EXCHANGE.match(text)
        if exchange is None:
            entries.append((where, text))
        elif not to_remember(exchange["asked"]):
            entries.append((where, without_sources(exchange["answered"])))
    return entries


def without_sources(answer: str) -> str:
    """An answer of this model without the sources that it names."""
    return _SOURCE.sub("", answer)
