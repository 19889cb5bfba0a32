"""The edge of the functions."""

from collections.abc import AsyncIterator

import pytest

from baton.worker.runtime import claims
from tests.unit.baton.kit.edge import Edge


@pytest.fixture
async def edge(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Edge]:
    """A CLAIM is not repeated."""
    monkeypatch.setattr(claims, "BEGIN_PAUSES_SECONDS", ())
    made = Edge()
    async with made.client:
        yield made
