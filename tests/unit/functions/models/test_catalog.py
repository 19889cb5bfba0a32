"""Models by name."""

import pytest

from functions.models.catalog import MODEL_NAMES, model_named
from functions.models.model import Model


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_every_listed_name_gives_a_model(name: str) -> None:
    """The list of names is what the catalog can make."""
    assert isinstance(model_named(name), Model)


@pytest.mark.parametrize("name", ["openai:gpt-5-mini", "Demo", ""])
def test_an_unknown_name_is_refused_with_what_exists(name: str) -> None:
    """The error names the value and the way out."""
    with pytest.raises(ValueError, match=f"unknown model '{name}'; this version has 'demo'"):
        model_named(name)
