from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.unit.baton_local.qstash.machine_world import World
from tests.unit.baton_local.qstash.served import Served, serving


@pytest.fixture
def world() -> World:
    """The state machine with the usual limits."""
    return World()


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[Served]:
    """A server over an empty data folder."""
    async with serving(tmp_path, max_batch_bytes=2_000_000, max_message_bytes=1_000_000) as served:
        yield served
