"""How a page reads: the length of its sentences, and the words that it must not use.

A sentence is what a reader takes in at once: in a paragraph, a list item or a table's cell, up to a full stop. Code
counts as one word and may have any name. Blocks of code, headings and labels of fewer than four words are left out.
"""

import math
import re
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.token import Token

# What these words have replaced: no name in the code has one. What is stored or sent keeps its name
# (functions/baton/engine/work_items.py).
RETIRED = frozenset({
    "leg", "legs", "carrier", "carriers", "wish", "wishes", "lap", "laps", "standing", "standings",
    "witness", "witnesses", "performer", "performers", "happening", "happenings", "heeded", "tending", "tidying",
    "untouchable", "aftermath", "unheeded", "redrive", "redrives", "redriven", "redrove",
})  # fmt: skip
# Words of plain English which names had in a meaning of our own: a page may have them, a name may not.
RETIRED_IN_NAMES = RETIRED | {
    "ask", "asker", "askers", "book", "booked", "books", "carried", "carries", "carry", "fact", "facts", "happened",
    "hear", "heard", "hears", "room", "said", "say", "says", "tell", "telling", "tells", "told",
    "untold", "whoever",
}  # fmt: skip
# No page has these either: data is sent, passed, recorded or returned, and people read pages in standard terms.
RETIRED_IN_PROSE = RETIRED | {
    "tell", "tells", "telling", "told", "untold", "hear", "hears", "heard", "hand on", "hands on", "handed on",
    "on in place", "key book",
}  # fmt: skip

LONGEST_WORDS = 28  # of nine sentences in ten
SHORTEST_WORDS = 4
CODE = "`code`"
_END = re.compile(r"(?<=[.!?])\)?\s+(?=[^a-z])")
_WORD = re.compile(r"\w|`")
_SUBJECT = re.compile(r"(?:Who|Whoever|What|Whatever|Whichever)\b(?!.*\?)")


@dataclass(frozen=True)
class Sentence:
    """One sentence; `line` is where its paragraph or table row begins, from 1."""

    line: int
    text: str

    @property
    def words(self) -> int:
        return sum(1 for word in self.text.split() if _WORD.search(word))


def sentences_of(text: str) -> list[Sentence]:
    found, line, heading = [], 0, False
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        line = token.map[0] + 1 if token.map else line
        heading = token.type == "heading_open" or (heading and token.type == "inline")
        if token.type == "inline" and not heading:
            found += [Sentence(line, part) for part in _END.split(_plain(token).strip())]
    return [sentence for sentence in found if sentence.words >= SHORTEST_WORDS]


def _plain(paragraph: Token) -> str:
    kinds = {"text": "content", "code_inline": CODE, "softbreak": " ", "hardbreak": " "}
    parts = [(part.content, kinds.get(part.type, "")) for part in paragraph.children or ()]
    return "".join(content if kind == "content" else kind for content, kind in parts)


def longest_of_nine_in_ten(sentences: list[Sentence]) -> int:
    """Return the 90th percentile of the sentences' words, by nearest rank."""
    counts = sorted(sentence.words for sentence in sentences)
    return counts[math.ceil(0.9 * len(counts)) - 1] if counts else 0


def faults_of(text: str) -> list[str]:
    """Return everything that is wrong with a page's prose, each with its line."""
    sentences = sentences_of(text)
    found = [f"line {one.line}: {fault}: {one.text}" for one in sentences for fault in _faults_in(one)]
    longest = longest_of_nine_in_ten(sentences)
    if longest > LONGEST_WORDS:
        too_long = sorted(sentences, key=lambda one: -one.words)[: len(sentences) // 10 + 1]
        found.append(f"one sentence in ten has {longest} words or more")
        found += [f"line {one.line}: {one.words} words: {one.text}" for one in too_long]
    return found


def _faults_in(sentence: Sentence) -> list[str]:
    words = f" {' '.join(re.findall(r'[a-z]+', sentence.text.replace(CODE, '').lower()))} "
    found = [f"{word!r} is retired" for word in sorted(RETIRED_IN_PROSE) if f" {word} " in words]
    return [*found, "a question is its subject"] if _SUBJECT.match(sentence.text) else found
