"""Relevance by counting: a question's important words, the files that fit it, and their best sentences.

Invariant: the same question and texts give the same files and sentences, in the same order, in every process. Every
sentence given is in its file word for word, apart from markup and line breaks. Must not: know of tools or messages.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

_TEXT = """
    a about above after again all almost also although always am an and another answer any are around as at be
    because been before being below best better between both but by came can cannot change changed come could
    describe did different do does doing done down during each else even ever every explain few file files find
    first for from gave get give given go goes good had happen happened has have having he her here hers him his
    how however i if in into is it its itself just kind know known last let like little long made make makes many
    may me mean might more most much must my near need never no nor not nothing now of off often on once one only
    onto or other our out over own part people please question say says see she should since so some something
    sort still such summarise summarize tell than that the their theirs them then there these they thing things
    this those though through time times to today together told too toward type under until up upon us use used
    uses using very want was way we well went were what whatever when where whether which while who whole whom
    whose why will with within without work would write year years yes yet you your
"""

STOP_WORDS = frozenset(_TEXT.split())


_APOSTROPHE = "\N{RIGHT SINGLE QUOTATION MARK}"
_WORD = re.compile(rf"[^\W_]+(?:['{_APOSTROPHE}][^\W_]+)?")
_MAX_SEARCH_WORDS = 5
_MIN_WORD_CHARS = 3  # shorter ones occur everywhere, except numbers
_ADDED_ES = ("sses", "nses", "xes", "ches", "shes")  # lenses, watches; but houses, which only added an s
_NO_PLURAL = ("ss", "us", "is", "os", "lens")
_WANTS_NUMBER = re.compile(r"\b(when|how (many|much|far|high|long|old|tall|fast|bright)|(what|which) year)\b")
_WANTS_NAME = re.compile(r"\b(who|whom|whose)\b")


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case."""
    return [word.replace(_APOSTROPHE, "'") for word in _WORD.findall(text.casefold())]


def search_words(question: str) -> tuple[str, ...]:
    """Return the words worth searching for, in the question's order, in a form that also finds their plurals."""
    wanted = (stem(word) for word in words_of(question) if word not in STOP_WORDS)
    return tuple(dict.fromkeys(word for word in wanted if _is_distinctive(word)))[:_MAX_SEARCH_WORDS]


def stem(word: str) -> str:
    """Remove an ending that a text may have or lack: 'lenses' gives 'lens', 'invented' gives 'invent'."""
    word = word.removesuffix("'s")
    if word.endswith(_ADDED_ES):
        return word[:-2]
    if word.endswith("s") and not word.endswith(_NO_PLURAL) and len(word) > len("gas"):
        return word[:-1]
    for ending in ("ing", "ed"):
        if word.endswith(ending) and len(word) - len(ending) >= len("light"):
            return word[: -len(ending)]
    return word


def wants_number(question: str) -> bool:
    """Return whether the answer should contain a date or a number."""
    return bool(_WANTS_NUMBER.search(question.casefold()))


def wants_name(question: str) -> bool:
    """Return whether the answer should contain a person's name."""
    return bool(_WANTS_NAME.search(question.casefold()))


def _is_distinctive(word: str) -> bool:
    return len(word) >= _MIN_WORD_CHARS or word.isdigit()


_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[\"(]?[A-Z0-9])")
_MARKUP = re.compile(r"^\s*(?:[-*+>]\s+|\d+\.\s+)|[*_`]{1,3}", re.MULTILINE)
_FULL_NAME = re.compile(r"\b[A-Z][a-z]+ [A-Z][a-z]+")
_SENTENCE_WORDS = range(5, 61)  # shorter ones are fragments, longer ones do not read as an answer
_MAX_PER_FILE = 3
_PARAGRAPH_SHARE = 0.4  # a word near a sentence counts less than one in it,
_TITLE_SHARE = 0.3  # and one in the file's title less still
_WANTED_FORM_BONUS = 1.5
_NEXT_FILE_SHARE = 0.8  # a file that fits less is less likely to mean what the question means
_COVERED_SHARE = 0.6  # a word that a chosen sentence has counts less from then on, so that the answer covers more
_WORST_TO_BEST = 0.25  # sentences far below the best one are left out: a short answer is better than a padded one


class Quote(Struct, frozen=True):
    """A sentence and its file."""

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
    """Return the sentences that answer best, in the order of the texts; give the most fitting text first."""
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
    """Rate a sentence higher if it has the form that the question asks for, and slightly lower if it is long."""
    bonus = 1 / (1 + len(sentence.split()) / 100)
    if wants_number(question) and any(char.isdigit() for char in sentence):
        bonus *= _WANTED_FORM_BONUS
    if wants_name(question) and _FULL_NAME.search(sentence):
        bonus *= _WANTED_FORM_BONUS
    return bonus


def _weights(wanted: Sequence[str], candidates: Sequence[_Candidate]) -> dict[str, float]:
    """Weight words: the fewer sentences have a word, the more it counts."""
    having = {word: sum(candidate.matched.get(word) == 1 for candidate in candidates) for word in wanted}
    return {word: math.log(1 + len(candidates) / (1 + having[word])) for word in wanted}


def _score(candidate: _Candidate, weights: Mapping[str, float]) -> float:
    return candidate.bonus * sum(weight * candidate.matched.get(word, 0) for word, weight in weights.items())


def _may_follow(chosen: Sequence[_Candidate], candidate: _Candidate) -> bool:
    same_file = sum(other.quote.path == candidate.quote.path for other in chosen)
    return candidate not in chosen and same_file < _MAX_PER_FILE
