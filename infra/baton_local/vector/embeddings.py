"""Text to vectors: the offline default, and models that users plug in as `module:function` (vector-rest.md 8).

The default hashes words, word pairs and character trigrams. It finds shared words and word forms and nothing of meaning
(no synonyms): right for tests and demos. Invariants: the same text gives the same vector in every process, on every
machine, with every Python; so Python's own `hash` is out. What a model returns is looked at before it is used, so a
faulty one is a clear error and never stored.
"""

import asyncio
import hashlib
import importlib
import math
import re
import sys
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

HASHING_EMBEDDER, NO_EMBEDDER = "hash", "none"
DEFAULT_DIMENSION = 384
_WORD = re.compile(r"\w+")


class EmbedderError(RuntimeError):
    """The model cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """A model; `name` is what `/info` calls it."""

    name: str
    dimension: int
    embed: Callable[[list[str]], Any]
    one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def vectors_of(self, texts: list[str]) -> list[Sequence[float]]:
        """Return one vector for each text; the model works in a thread. EmbedderError if it failed."""
        async with self.one_at_a_time:
            return await asyncio.to_thread(self.embedded, texts)

    def embedded(self, texts: list[str]) -> list[Sequence[float]]:
        """Return the vectors as plain numbers; arrays of numeric libraries are taken, too."""
        try:
            rows = [[float(number) for number in row] for row in self.embed(texts)]
        except Exception as error:
            raise EmbedderError(f"the embedder {self.name} failed: {type(error).__name__}: {error}") from error
        if len(rows) != len(texts):
            raise EmbedderError(f"the embedder {self.name} returned {len(rows)} vectors for {len(texts)} texts")
        for row in rows:
            if self.dimension and len(row) != self.dimension:
                text = f"returned {len(row)} numbers instead of {self.dimension}"
                raise EmbedderError(f"the embedder {self.name} {text}")
            if not all(map(math.isfinite, row)):
                raise EmbedderError(f"the embedder {self.name} returned a number that is not finite")
        return list(rows)


def model_of(embedder: str, dimension: int | None) -> EmbeddingModel | None:
    """Return the model that an option names, for an index of this dimension; None for an index without one."""
    if embedder == NO_EMBEDDER:
        return None
    if embedder == HASHING_EMBEDDER:
        size = dimension or DEFAULT_DIMENSION
        return EmbeddingModel(f"BATON_HASH_{size}", size, lambda texts: [hashed_text(text, size) for text in texts])
    model = load_model(embedder)
    if dimension not in {None, model.dimension}:
        text = f"makes vectors of dimension {model.dimension}, not {dimension}"
        raise EmbedderError(f"the embedder {model.name} {text}; leave --dimension out or name another --embedder")
    return model


def hashed_text(text: str, dimension: int) -> list[float]:
    """Return the vector of a text, of length 1: the sum of its features, each of a kind, a content and a weight."""
    words = _WORD.findall(unicodedata.normalize("NFKC", text.lower()))
    marked = [f"^{word}$" for word in words]
    features = [
        *(("word", word, 1.0) for word in words),
        *(("pair", f"{one} {other}", 0.5) for one, other in pairwise(words)),
        *(("trigram", each[start : start + 3], 0.25) for each in marked for start in range(len(each) - 2)),
    ]
    numbers = _sum_of(features, dimension)
    if not any(numbers):  # no words, or their features cancel out: never the zero vector
        numbers = _sum_of([("text", text, 1.0)], dimension)
    length = math.hypot(*numbers)
    return [number / length for number in numbers]


def _sum_of(features: list[tuple[str, str, float]], dimension: int) -> list[float]:
    numbers = [0.0] * dimension
    for kind, content, weight in features:
        digest = hashlib.blake2b(f"{kind}:{content}".encode(), digest_size=8).digest()
        place = int.from_bytes(digest[:4], "big") % dimension
        numbers[place] += weight if digest[4] & 1 else -weight
    return numbers


def load_model(reference: str) -> EmbeddingModel:
    """Import and try the model; EmbedderError where it does not do what is expected."""
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
    (row,) = EmbeddingModel(reference, 0, embed).embedded(["probe"])
    if not row:
        raise EmbedderError(f"the embedder {reference} returned a vector without numbers")
    return EmbeddingModel(reference, len(row), embed)
