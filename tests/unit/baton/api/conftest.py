"""The API with the usual settings."""

from collections.abc import AsyncIterator

import pytest

from tests.unit.baton.api.client import Api, api_of, with_keys
from tests.unit.baton.kit.stage import Stage


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """The API."""
    async with api_of(Stage(settings=with_keys())) as made:
        yield made
