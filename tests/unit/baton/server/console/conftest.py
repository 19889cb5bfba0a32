"""An operator at a console over fakes."""

from collections.abc import AsyncIterator

import pytest

from tests.unit.baton.server.console.operator import Operator, operator_of


@pytest.fixture
async def operator() -> AsyncIterator[Operator]:
    async with operator_of() as made:
        yield made


@pytest.fixture
async def stranger() -> AsyncIterator[Operator]:
    async with operator_of(logged_in=False) as made:
        yield made
