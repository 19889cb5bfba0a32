"""A server for each file, as large as its tests make it, and connections that note what is asked."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.side import Side, side_over
from tests.contract.store_cluster.watched_connection import Requested, WatchedConnection


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    process = RedisProcess(tmp_path_factory.mktemp("scale") / "data")
    try:
        yield process
    finally:
        process.stop()


@asynccontextmanager
async def adapters(server: RedisProcess) -> AsyncIterator[tuple[Side, list[Requested]]]:
    """The real adapters, and what they ask."""
    connection = WatchedConnection(server.settings())
    try:
        yield side_over(connection), connection.requested
    finally:
        await connection.close()
