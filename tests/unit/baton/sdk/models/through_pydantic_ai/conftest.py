"""Keys for the providers that the tests ask; none of them is real, and no request leaves."""

import ssl
from collections.abc import Iterator
from functools import cache

import pytest

from tests.unit.baton.sdk.models.through_pydantic_ai.provider_cases import KEY, PROVIDERS, ProviderCase
from tests.unit.baton.sdk.models.through_pydantic_ai.requesting import Requested, requesting

_context = cache(ssl.create_default_context)  # it reads all certificates, and most tests are quicker than that


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssl, "create_default_context", _context)
    for case in PROVIDERS:
        monkeypatch.setenv(case.key_variable, KEY)


@pytest.fixture(params=PROVIDERS, ids=lambda case: case.model)
def requested(request: pytest.FixtureRequest) -> Iterator[Requested]:
    case: ProviderCase = request.param
    with requesting(case) as one:
        yield one
