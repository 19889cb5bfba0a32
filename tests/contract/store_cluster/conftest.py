"""The real adapters on a server in cluster mode."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.contract.store.side import Side, side_over
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
    return side_over(connection)
