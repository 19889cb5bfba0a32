"""Runs the JavaScript tests where node can be had, and says so in one line where it cannot.

In CI nothing is left out: there a missing node is a failure.
"""

from collections.abc import Iterator

import pytest

from baton_local.dev.surroundings import inherited_environment
from baton_local.fixtures.qstash_server import QStashServer
from baton_local.fixtures.redis_server import RedisServer
from baton_local.fixtures.vector_server import VectorServer
from tests.contract.js.javascript_results import JavaScriptResults
from tests.contract.js.node_program import NodeProgram, node_program
from tests.npm_packages import JavaScriptMissingError

_LEFT_OUT = pytest.StashKey[str]()


@pytest.hookimpl(trylast=True)  # after -m and -k have made their choice
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the tests out that cannot run on this machine."""
    wanted = [item for item in items if item.get_closest_marker("node")]
    if not wanted or config.option.collectonly or "CI" in inherited_environment():
        return
    try:
        node_program()
    except JavaScriptMissingError as error:
        config.stash[_LEFT_OUT] = f"JavaScript SDKs: {len(wanted)} tests left out, since {error}"
        config.hook.pytest_deselected(items=wanted)
        items[:] = [item for item in items if item not in wanted]


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Say what was left out."""
    return [config.stash[_LEFT_OUT]] if _LEFT_OUT in config.stash else []


@pytest.fixture(scope="session")
def node() -> NodeProgram:
    """Node with the SDKs."""
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
