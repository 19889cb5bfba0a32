"""One running server per test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.unit.baton_local.qstash.served import Served, serving


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(tmp_path, max_batch_bytes=2_000_000, max_message_bytes=1_000_000) as served:
        yield served
