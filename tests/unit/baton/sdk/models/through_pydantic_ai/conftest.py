"""Keys for the providers that the tests ask; none of them is real, and no request leaves."""

from collections.abc import Iterator

import pytest

from tests.unit.baton.sdk.models.through_pydantic_ai.provider_cases import KEY, PROVIDERS, ProviderCase
from tests.unit.baton.sdk.models.through_pydantic_ai.requesting import Requested, requesting


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for case in PROVIDERS:
        monkeypatch.setenv(case.key_variable, KEY)


@pytest.fixture(params=PROVIDERS, ids=lambda case: case.model)
def requested(request: pytest.FixtureRequest) -> Iterator[Requested]:
    case: ProviderCase = request.param
    with requesting(case) as one:
        yield one
