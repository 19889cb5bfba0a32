"""Models by name: which names there are, and what it takes to make one."""

import ast
import inspect
import sys

import pytest
from pydantic_ai.models import known_model_names
from pydantic_ai.providers import infer_provider_class

from baton.sdk.models.catalog import (
    MODEL_NAMES,
    PROVIDER_NAMES,
    ProviderModel,
    available_models,
    model_fault,
    model_named,
    name_fault,
    offload_fault,
    works_in_background,
)
from baton.sdk.models.model import Model


@pytest.mark.parametrize("name", [*MODEL_NAMES, "openai:gpt-5-mini", "gateway/anthropic:claude-sonnet-5"])
def test_every_known_name_gives_a_model(name: str) -> None:
    model = model_named(name)
    assert isinstance(model, Model)
    assert (model.name, model_fault(name)) == (name, None)


@pytest.mark.parametrize("name", ["Demo", "gpt-5-mini", ""])
def test_an_unknown_name_is_refused_with_what_exists(name: str) -> None:
    with pytest.raises(ValueError, match=f"unknown model '{name}'; use 'demo', 'provider:model'") as caught:
        model_named(name)
    assert str(caught.value).endswith(available_models())


def test_making_one_needs_no_library_and_no_key() -> None:
    """Both are wanted by the first turn only, in the one function that has them."""
    before = set(sys.modules)
    model = ProviderModel("huggingface:some/model")
    assert isinstance(model, Model)
    assert (model.name, model.reads_history) == ("huggingface:some/model", True)
    assert set(sys.modules) == before


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
    assert _names_that_the_library_matches() - NO_CHAT == PROVIDER_NAMES
    assert [name for name in known_model_names() if ":" in name and name_fault(name)] == []


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("antropic:x", "unknown model 'antropic:x': there is no provider 'antropic'; did you mean 'anthropic:x'?"),
        ("?:x", "there are: alibaba, anthropic, "),
        ("openai: ", "the model's name is missing"),
    ],
)
def test_a_name_without_a_known_provider_and_a_model_is_refused(name: str, fault: str) -> None:
    assert fault in str(model_fault(name))


def test_a_model_that_cannot_be_offloaded_is_named() -> None:
    class Own:
        name = "our-own"

    for model, shown in (("anthropic:claude-sonnet-5", "anthropic:claude-sonnet-5"), (Own(), "our-own"), (3, "int")):
        assert not works_in_background(model)
        assert str(offload_fault(model, "provider")).startswith(f"{shown!r} has no background mode: name models as")
    assert works_in_background("openai:gpt-5-mini")
