"""The API with the usual settings."""

from collections.abc import AsyncIterator

import pytest

from tests.unit.baton.server.api.client import Api, api_with


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with api_with() as made:
        yield made
