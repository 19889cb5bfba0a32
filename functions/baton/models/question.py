"""Which words of a question matter, and what kind of answer it wants. Counting only, no language model.

Invariant: the same question gives the same words in the same order.
"""

import re

from baton.models.stop_words import STOP_WORDS

_APOSTROPHE = "\N{RIGHT SINGLE QUOTATION MARK}"
_WORD = re.compile(rf"[^\W_]+(?:['{_APOSTROPHE}][^\W_]+)?")
_MAX_SEARCH_WORDS = 5
_MIN_WORD_CHARS = 3  # shorter ones stand everywhere, except numbers
_ADDED_ES = ("sses", "nses", "xes", "ches", "shes")  # lenses, watches; but houses, which only added an s
_NO_PLURAL = ("ss", "us", "is", "os", "lens")
_WANTS_NUMBER = re.compile(r"\b(when|how (many|much|far|high|long|old|tall|fast|bright)|(what|which) year)\b")
_WANTS_NAME = re.compile(r"\b(who|whom|whose)\b")


def words_of(text: str) -> list[str]:
    """The words of a text in lower case."""
    return [word.replace(_APOSTROPHE, "'") for word in _WORD.findall(text.casefold())]


def search_words(question: str) -> tuple[str, ...]:
    """The words worth searching for, in the question's order, brought to a form that also finds their plurals."""
    wanted = (stem(word) for word in words_of(question) if word not in STOP_WORDS)
    return tuple(dict.fromkeys(word for word in wanted if _is_telling(word)))[:_MAX_SEARCH_WORDS]


def stem(word: str) -> str:
    """Take off an ending that a text may have or lack: 'lenses' gives 'lens', 'invented' gives 'invent'."""
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
    """Whether the answer should have a date or a figure in it."""
    return bool(_WANTS_NUMBER.search(question.casefold()))


def wants_name(question: str) -> bool:
    """Whether the answer should have somebody's name in it."""
    return bool(_WANTS_NAME.search(question.casefold()))


def _is_telling(word: str) -> bool:
    return len(word) >= _MIN_WORD_CHARS or word.isdigit()
