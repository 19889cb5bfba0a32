"""The real adapters on a server in cluster mode."""

from collections.abc import AsyncIterator, Iterator

import pytest

from baton.settings.settings import Settings
from tests.contract.store.side import Side, side_over
from tests.contract.store_cluster.cluster_node import TOKEN, ClusterNode
from tests.contract.store_cluster.watched_connection import WatchedConnection


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterNode]:
    made = ClusterNode(tmp_path_factory.mktemp("cluster") / "node")
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture(params=["rest", "resp", "resp, told"])
async def connection(node: ClusterNode, request: pytest.FixtureRequest) -> AsyncIterator[WatchedConnection]:
    """On an empty database: by the bridge, or straight with the documented rights, told that it is a cluster or not."""
    node.request("FLUSHALL")
    over = {
        "rest": Settings(redis_url=node.url, redis_token=TOKEN),
        "resp": Settings(resp_url=node.address_of("app")),
        "resp, told": Settings(resp_url=f"{node.address_of('app')}?cluster=true"),
    }
    made = WatchedConnection(over[request.param])
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture
def clustered(connection: WatchedConnection) -> Side:
    return side_over(connection)
