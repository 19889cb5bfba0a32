"""Text to vectors: the offline default, and models that users plug in as `module:function` (vector-rest.md 8).

The default hashes words, word pairs and character trigrams. It finds shared words and word forms and nothing of meaning
(no synonyms): right for tests and demos. Invariants: the same text gives the same vector in every process, on every
machine, with every Python; so Python's own `hash` is out. What a model returns is looked at before it is used, so a
faulty one is a clear error and never stored.
"""

import hashlib
import importlib
import math
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from baton_local.vector.core.record import Vector

Embed = Callable[[list[str]], Any]


class EmbedderError(RuntimeError):
    """The model cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """A model; `name` is what `/info` calls it."""

    name: str
    dimension: int
    embed: Embed

    def vectors_of(self, texts: list[str]) -> list[Vector]:
        """Return one vector for each text.

        Raises:
            EmbedderError: the model failed, or returned something else.
        """
        rows = embedded(self.name, self.embed, texts)
        for row in rows:
            if len(row) != self.dimension:
                raise EmbedderError(f"the embedder {self.name} returned {len(row)} numbers instead of {self.dimension}")
        return [Vector.of(row) for row in rows]


def embedded(name: str, embed: Embed, texts: list[str]) -> list[list[float]]:
    """Return the function's vectors for these texts as plain numbers (arrays of numeric libraries are taken, too)."""
    try:
        rows = [[float(number) for number in row] for row in embed(texts)]
    except Exception as error:
        raise EmbedderError(f"the embedder {name} failed: {type(error).__name__}: {error}") from error
    if len(rows) != len(texts):
        raise EmbedderError(f"the embedder {name} returned {len(rows)} vectors for {len(texts)} texts")
    if not all(math.isfinite(number) for row in rows for number in row):
        raise EmbedderError(f"the embedder {name} returned a number that is not finite")
    return rows


DEFAULT_DIMENSION = 384
_WORD = re.compile(r"\w+")
_WORD_WEIGHT, _PAIR_WEIGHT, _TRIGRAM_WEIGHT = 1.0, 0.5, 0.25
_TRIGRAM = 3

_Feature = tuple[str, str, float]


def hashing_model(dimension: int = DEFAULT_DIMENSION) -> EmbeddingModel:
    """Return the model for an index of this dimension."""
    return EmbeddingModel(
        f"BATON_HASH_{dimension}", dimension, lambda texts: [hashed_text(text, dimension) for text in texts]
    )


def hashed_text(text: str, dimension: int) -> list[float]:
    """Return the vector of a text, of length 1."""
    words = _WORD.findall(unicodedata.normalize("NFKC", text.lower()))
    numbers = _sum_of(_features(words), dimension)
    if not any(numbers):  # no words, or their features cancel out: never the zero vector
        numbers = _sum_of(iter([("text", text, _WORD_WEIGHT)]), dimension)
    length = math.hypot(*numbers)
    return [number / length for number in numbers]


def _features(words: list[str]) -> Iterator[_Feature]:
    """Yield what a text consists of: kind, content, weight."""
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


_PROBE = "probe"


def load_model(reference: str) -> EmbeddingModel:
    """Import and try the model.

    Raises:
        EmbedderError: there is none of that name, or it does not do what is expected.
    """
    module_name, _, function_name = reference.partition(":")
    own_folder = str(Path.cwd())
    if own_folder not in sys.path:
        sys.path.append(own_folder)  # behind everything else, so that nothing of the user's hides ours
    try:
        embed = getattr(importlib.import_module(module_name), function_name)
    except Exception as error:
        raise EmbedderError(
            f"cannot load the embedder {reference}: {type(error).__name__}: {error}; "
            "name one with --embedder module:function, importable from the current folder"
        ) from error
    if not callable(embed):
        raise EmbedderError(f"the embedder {reference} is not a function but {type(embed).__name__}")
    (row,) = embedded(reference, embed, [_PROBE])
    if not row:
        raise EmbedderError(f"the embedder {reference} returned a vector without numbers")
    return EmbeddingModel(reference, len(row), embed)
