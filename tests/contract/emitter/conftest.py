"""The local queue, one for the session, and an endpoint for each test."""

from collections.abc import Iterator

import pytest

from baton.settings.settings import Settings
from tests.contract.emitter.qstash_process import QStashProcess
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


@pytest.fixture
def settings(local_qstash: QStashProcess, endpoint: Destination) -> Settings:
    """Of a program that publishes to the queue and is delivered to at the endpoint."""
    return local_qstash.settings(endpoint.url("/api/v2"))


@pytest.fixture(params=["fake", "real"])
def either(request: pytest.FixtureRequest) -> Settings | None:
    """Each side in turn: None for the fake."""
    if request.param == "fake":
        return None
    process: QStashProcess = request.getfixturevalue("local_qstash")
    return process.settings("http://127.0.0.1:9")
