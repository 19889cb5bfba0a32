"""The default model: hashed words, word pairs and character trigrams (vector-rest.md 8).

It finds shared words and word forms and nothing of meaning (no synonyms): right for tests and demos. Invariant: the
same text gives the same vector in every process, on every machine, with every Python; so Python's own `hash` is out.
"""

import hashlib
import math
import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise

from baton_local.vector.embedding.model import EmbeddingModel

DEFAULT_DIMENSION = 384
_WORD = re.compile(r"\w+")
_WORD_WEIGHT, _PAIR_WEIGHT, _TRIGRAM_WEIGHT = 1.0, 0.5, 0.25
_TRIGRAM = 3

_Feature = tuple[str, str, float]


def hashing_model(dimension: int = DEFAULT_DIMENSION) -> EmbeddingModel:
    """The model for an index of this dimension."""
    return EmbeddingModel(
        f"BATON_HASH_{dimension}", dimension, lambda texts: [hashed_text(text, dimension) for text in texts]
    )


def hashed_text(text: str, dimension: int) -> list[float]:
    """The vector of a text, of length 1."""
    words = _WORD.findall(unicodedata.normalize("NFKC", text.lower()))
    numbers = _sum_of(_features(words), dimension)
    if not any(numbers):  # no words, or their features cancel out: never the zero vector
        numbers = _sum_of(iter([("text", text, _WORD_WEIGHT)]), dimension)
    length = math.hypot(*numbers)
    return [number / length for number in numbers]


def _features(words: list[str]) -> Iterator[_Feature]:
    """What a text consists of: kind, content, weight."""
    for word in words:
        yield "word", word, _WORD_WEIGHT
    for one, next_one in pairwise(words):
        yield "pair", f"{one} {next_one}", _PAIR_WEIGHT
    for word in words:
        marked = f"^{word}$"
        for start in range(len(marked) - _TRIGRAM + 1):
            yield "trigram", marked[start : start + _TRIGRAM], _TRIGRAM_WEIGHT


def _sum_of(features: Iterator[_Feature], dimension: int) -> list[float]:
    numbers = [0.0] * dimension
    for kind, content, weight in features:
        digest = hashlib.blake2b(f"{kind}:{content}".encode(), digest_size=8).digest()
        place = int.from_bytes(digest[:4], "big") % dimension
        numbers[place] += weight if digest[4] & 1 else -weight
    return numbers
