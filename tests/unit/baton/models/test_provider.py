"""A provider's model before its first request."""

import sys

from baton.models.catalog import ProviderModel
from baton.models.model import Model


def test_making_one_needs_no_library_and_no_key() -> None:
    """Both are wanted by the first turn only, in the one function that has them."""
    before = set(sys.modules)
    model = ProviderModel("huggingface:some/model")
    assert isinstance(model, Model)
    assert (model.name, model.reads_history) == ("huggingface:some/model", True)
    assert set(sys.modules) == before
