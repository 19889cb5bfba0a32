"""The local QStash and the queue in a store, one for the session, and an endpoint for each test."""

from collections.abc import Iterator

import pytest

from baton.settings.settings import Settings
from tests.contract.emitter.qstash_process import QStashProcess
from tests.contract.emitter.store_queue import StoreQueue
from tests.contract.qstash.destination import Destination


@pytest.fixture(scope="session")
def local_qstash(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QStashProcess]:
    process = QStashProcess(tmp_path_factory.mktemp("qstash") / "data")
    try:
        yield process
    finally:
        process.stop()


@pytest.fixture
def endpoint() -> Iterator[Destination]:
    with Destination() as made:
        yield made


@pytest.fixture(scope="session")
def store_queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreQueue]:
    made = StoreQueue(tmp_path_factory.mktemp("redis") / "data")
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture(params=["qstash", "redis"])
def settings(request: pytest.FixtureRequest, endpoint: Destination) -> Settings:
    """Of a program that publishes to each queue in turn and is delivered to at the endpoint."""
    return _settings(request, endpoint.url("/api/v2"))


@pytest.fixture(params=["fake", "qstash", "redis"])
def either(request: pytest.FixtureRequest) -> Settings | None:
    """Each side in turn: None for the fake."""
    return None if request.param == "fake" else _settings(request, "http://127.0.0.1:9")


def _settings(request: pytest.FixtureRequest, worker_base_url: str) -> Settings:
    queue: QStashProcess | StoreQueue = request.getfixturevalue(
        "store_queue" if request.param == "redis" else "local_qstash"
    )
    return queue.settings(worker_base_url)
