"""Small functions as people write them come to the same in a workflow as in ordinary Python."""

import pytest

from tests.unit.baton.sdk.workflows import ordinary_functions, ordinary_values
from tests.unit.baton.sdk.workflows.conftest import Load
from tests.unit.baton.sdk.workflows.test_idioms import _as_job, _module, _ordinary

PIECES = [(each.BESIDE, body) for each in (ordinary_functions, ordinary_values) for body in each.SAME]


@pytest.mark.parametrize(("beside", "body"), PIECES)
async def test_it_is_as_in_ordinary_python(load: Load, beside: str, body: str) -> None:
    module = _module(load, body, beside)
    assert await _as_job(module) == await _ordinary(module)
