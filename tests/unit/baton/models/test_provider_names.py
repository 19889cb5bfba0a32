"""The names of providers are those that pydantic-ai knows."""

import ast
import inspect

import pytest
from pydantic_ai.models import known_model_names
from pydantic_ai.providers import infer_provider_class

from baton.models.catalog import PROVIDER_NAMES, name_fault

# Providers of embeddings and of speech: `infer_model` refuses them.
NO_CHAT = {"elevenlabs", "sentence-transformers", "voyageai"}


def _names_that_the_library_matches() -> set[str]:
    """The patterns of its one `match` over a provider's name."""
    tree = ast.parse(inspect.getsource(infer_provider_class))
    return {
        node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.MatchValue)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }


def test_the_names_are_those_of_the_library() -> None:
    """None missing, none too many."""
    assert _names_that_the_library_matches() - NO_CHAT == PROVIDER_NAMES


@pytest.mark.parametrize("name", [name for name in known_model_names() if ":" in name])
def test_every_model_that_the_library_lists_has_a_name_without_fault(name: str) -> None:
    """Whether it exists is the provider's to say."""
    assert name_fault(name) is None
