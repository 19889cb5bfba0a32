"""Which files fit a question, and which of their sentences answer it best. Counting only, no language model.

Invariant: the same question and texts give the same files and sentences, in the same order, in every process. Every
sentence given is in its file word for word, apart from markup and line breaks. Must not: know of tools or messages.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from baton.models.question import search_words, wants_name, wants_number, words_of

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[\"(]?[A-Z0-9])")
_MARKUP = re.compile(r"^\s*(?:[-*+>]\s+|\d+\.\s+)|[*_`]{1,3}", re.MULTILINE)
_FULL_NAME = re.compile(r"\b[A-Z][a-z]+ [A-Z][a-z]+")
_SENTENCE_WORDS = range(5, 61)  # shorter ones are fragments, longer ones do not read as an answer
_MAX_PER_FILE = 3
_PARAGRAPH_SHARE = 0.4  # a word that stands near a sentence says less than one in it,
_TITLE_SHARE = 0.3  # and one in the file's title less still
_WANTED_FORM_BONUS = 1.5
_NEXT_FILE_SHARE = 0.8  # a file that fits less is less likely to mean what the question means
_COVERED_SHARE = 0.6  # a word that a chosen sentence has counts less from then on, so that the answer covers more
_WORST_TO_BEST = 0.25  # sentences far below the best one are left out: a short answer is better than a padded one


class Quote(Struct, frozen=True):
    """A sentence and the file it stands in."""

    path: str
    sentence: str


class _Candidate(Struct, frozen=True):
    """A sentence that may be quoted, with the question's words found in it and how much each counts (at most 1)."""

    quote: Quote
    matched: Mapping[str, float]
    bonus: float


def rank_files(words: Sequence[str], counts: Mapping[str, Mapping[str, int]], files: Iterable[str]) -> list[str]:
    """Order files, best first, by `counts` (word → file → hits) and by their names; others are left out."""
    names = sorted({*files, *(path for found in counts.values() for path in found)})
    scores: dict[str, float] = {}
    for word in words:
        found = counts.get(word, {})
        weight = math.log(1 + len(names) / (1 + len(found)))
        for path in names:
            named = word in path.casefold()
            scores[path] = scores.get(path, 0.0) + weight * (math.log1p(found.get(path, 0)) + (1.0 if named else 0.0))
    return sorted((path for path in names if scores.get(path)), key=lambda path: (-scores[path], path))


def best_quotes(question: str, texts: Mapping[str, str], limit: int) -> list[Quote]:
    """The sentences that answer best, in the order of the texts; give the most fitting text first."""
    candidates = [
        candidate
        for rank, (path, text) in enumerate(texts.items())
        for candidate in _candidates(question, path, text, _NEXT_FILE_SHARE**rank)
    ]
    weights = _weights(search_words(question), candidates)
    chosen: list[_Candidate] = []
    floor = 0.0
    while len(chosen) < limit:
        open_ones = [candidate for candidate in candidates if _may_follow(chosen, candidate)]
        best = max(open_ones, key=lambda candidate: _score(candidate, weights), default=None)
        if best is None or _score(best, weights) <= floor:
            break
        floor = floor or _score(best, weights) * _WORST_TO_BEST
        chosen.append(best)
        weights = {word: weight * (_COVERED_SHARE if word in best.matched else 1) for word, weight in weights.items()}
    return [candidate.quote for candidate in candidates if candidate in chosen]


def _candidates(question: str, path: str, text: str, share: float) -> list[_Candidate]:
    wanted = search_words(question)
    lines = text.splitlines()
    title = _found(" ".join([path, *(line for line in lines if line.startswith("#"))]), wanted)
    found: dict[Quote, _Candidate] = {}
    for paragraph in re.split(r"\n\s*\n", "\n".join(line for line in lines if not line.startswith(("#", "[")))):
        near = _found(paragraph, wanted)
        for sentence in _sentences(paragraph):
            inside = _found(sentence, wanted)
            if near:
                matched = {**dict.fromkeys(title, _TITLE_SHARE), **dict.fromkeys(near, _PARAGRAPH_SHARE)}
                matched |= dict.fromkeys(inside, 1.0)
                quote = Quote(path, sentence)
                found.setdefault(quote, _Candidate(quote, matched, share * _bonus(question, sentence)))
    return list(found.values())


def _sentences(paragraph: str) -> list[str]:
    flat = " ".join(_MARKUP.sub("", paragraph).split())
    return [part for part in _SENTENCE_END.split(flat) if len(part.split()) in _SENTENCE_WORDS]


def _found(text: str, wanted: Sequence[str]) -> list[str]:
    words = words_of(text)
    return [word for word in wanted if any(other.startswith(word) for other in words)]


def _bonus(question: str, sentence: str) -> float:
    """More for a sentence that has what the question asks for; a little less for a long one."""
    bonus = 1 / (1 + len(sentence.split()) / 100)
    if wants_number(question) and any(char.isdigit() for char in sentence):
        bonus *= _WANTED_FORM_BONUS
    if wants_name(question) and _FULL_NAME.search(sentence):
        bonus *= _WANTED_FORM_BONUS
    return bonus


def _weights(wanted: Sequence[str], candidates: Sequence[_Candidate]) -> dict[str, float]:
    """A word that few sentences have tells more."""
    having = {word: sum(candidate.matched.get(word) == 1 for candidate in candidates) for word in wanted}
    return {word: math.log(1 + len(candidates) / (1 + having[word])) for word in wanted}


def _score(candidate: _Candidate, weights: Mapping[str, float]) -> float:
    return candidate.bonus * sum(weight * candidate.matched.get(word, 0) for word, weight in weights.items())


def _may_follow(chosen: Sequence[_Candidate], candidate: _Candidate) -> bool:
    same_file = sum(other.quote.path == candidate.quote.path for other in chosen)
    return candidate not in chosen and same_file < _MAX_PER_FILE
