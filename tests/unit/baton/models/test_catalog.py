"""Models by name."""

import pytest

from baton.models.catalog import MODEL_NAMES, available_models, model_fault, model_named
from baton.models.model import Model


@pytest.mark.parametrize("name", [*MODEL_NAMES, "openai:gpt-5-mini", "gateway/anthropic:claude-sonnet-5"])
def test_every_known_name_gives_a_model(name: str) -> None:
    """The list of names is what the catalog can make, and so is any model of a known provider."""
    model = model_named(name)
    assert isinstance(model, Model)
    assert (model.name, model_fault(name)) == (name, None)


@pytest.mark.parametrize("name", ["Demo", "gpt-5-mini", ""])
def test_an_unknown_name_is_refused_with_what_exists(name: str) -> None:
    """The error names the value and the way out."""
    with pytest.raises(ValueError, match=f"unknown model '{name}'; use 'demo', 'provider:model'") as caught:
        model_named(name)
    assert str(caught.value).endswith(available_models())


def test_an_unknown_provider_is_refused_with_the_one_that_was_meant() -> None:
    """Or with all that there are."""
    assert model_fault("antropic:x") == (
        "unknown model 'antropic:x': there is no provider 'antropic'; did you mean 'anthropic:x'?"
    )
    assert "there are: alibaba, anthropic, " in str(model_fault("?:x"))


def test_a_provider_without_a_model_is_refused() -> None:
    """The provider cannot be asked for nothing."""
    assert "the model's name is missing" in str(model_fault("openai: "))
