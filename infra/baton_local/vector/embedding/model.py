"""An embedding model as the server uses it: a function from texts to vectors of one dimension.

Invariant: what a model returns is looked at before it is used, so a faulty one is a clear error and never stored.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from baton_local.vector.core.vector import Vector

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
        """One vector for each text.

        Raises:
            EmbedderError: the model failed, or returned something else.
        """
        rows = embedded(self.name, self.embed, texts)
        for row in rows:
            if len(row) != self.dimension:
                raise EmbedderError(f"the embedder {self.name} returned {len(row)} numbers instead of {self.dimension}")
        return [Vector.of(row) for row in rows]


def embedded(name: str, embed: Embed, texts: list[str]) -> list[list[float]]:
    """What the function returns for these texts, as plain numbers (arrays of numeric libraries are taken, too)."""
    try:
        rows = [[float(number) for number in row] for row in embed(texts)]
    except Exception as error:
        raise EmbedderError(f"the embedder {name} failed: {type(error).__name__}: {error}") from error
    if len(rows) != len(texts):
        raise EmbedderError(f"the embedder {name} returned {len(rows)} vectors for {len(texts)} texts")
    if not all(math.isfinite(number) for row in rows for number in row):
        raise EmbedderError(f"the embedder {name} returned a number that is not finite")
    return rows
