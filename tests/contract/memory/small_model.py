"""An embedding model that comes in a wheel, as an index uses it: `baton vector --embedder …small_model:embed`."""

from functools import cache
from pathlib import Path
from typing import Any

import wordllama  # type: ignore[import-untyped] # it comes without types


@cache
def _model() -> Any:
    # Its loader looks for the tokenizer that it brings only where it would download one to.
    return wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)


def embed(texts: list[str]) -> Any:
    return _model().embed(texts)
