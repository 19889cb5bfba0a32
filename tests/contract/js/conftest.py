"""The JavaScript tests, over the three local servers."""

from collections.abc import Iterator

import pytest

from baton_local.fixtures.servers import QStashServer, RedisServer, VectorServer
from tests.contract.js.javascript_results import JavaScriptResults
from tests.contract.js.node_program import NodeProgram, node_program


@pytest.fixture(scope="session")
def node() -> NodeProgram:
    return node_program()


@pytest.fixture(scope="session")
def javascript(
    node: NodeProgram,
    tmp_path_factory: pytest.TempPathFactory,
    qstash_process: QStashServer,
    redis_process: RedisServer,
    vector_process: VectorServer,
) -> Iterator[JavaScriptResults]:
    """The results of the JavaScript tests; each file is run when it is first asked for."""
    qstash_process.reset()  # other tests may have rotated the keys that the development user is known by
    folder = tmp_path_factory.mktemp("javascript")
    node.prepare(folder)
    yield JavaScriptResults(node, folder, {**qstash_process.env, **redis_process.env, **vector_process.env})
    qstash_process.reset()
