"""The real adapters on a server in cluster mode."""

from collections.abc import AsyncIterator, Iterator

import pytest

from events.adapters.admission import RedisAdmission
from events.adapters.figures import RedisFigures
from events.adapters.reader import RedisReader
from events.adapters.store import RedisStore
from events.adapters.tool_statistics import RedisToolStatistics
from tests.contract.store.side import RETENTION_MS, SLOTS, SWEEP_INTERVAL_MS, Side
from tests.contract.store_cluster.cluster_node import TOKEN, ClusterNode
from tests.contract.store_cluster.watched_connection import WatchedConnection


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterNode]:
    """A cluster of one."""
    made = ClusterNode(tmp_path_factory.mktemp("cluster") / "node")
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture
async def connection(node: ClusterNode) -> AsyncIterator[WatchedConnection]:
    """A connection to it, on an empty database."""
    node.ask("FLUSHALL")
    made = WatchedConnection(node.url, TOKEN)
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture
def clustered(connection: WatchedConnection) -> Side:
    """The adapters over that connection."""
    admission = RedisAdmission(connection, SLOTS, SWEEP_INTERVAL_MS)
    return Side(
        "cluster",
        RedisStore(connection, RETENTION_MS),
        RedisReader(connection),
        admission,
        RedisToolStatistics(connection),
        RedisFigures(connection),
    )
