"""Loading a user's own model, named as `module:function` (vector-rest.md 8).

The function takes a list of texts and returns a list of vectors of one dimension, which is found out by asking once.
"""

import importlib
import sys
from pathlib import Path

from baton_local.vector.embedding.model import EmbedderError, EmbeddingModel, embedded

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
