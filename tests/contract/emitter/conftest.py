"""The local queue, one for the session, and an endpoint for each test."""

from collections.abc import AsyncIterator, Iterator

import pytest

from baton.queue.qstash.publisher import QStashQueue
from baton.settings.settings import Settings
from baton_events.messages import Queue
from tests.contract.emitter.qstash_process import QStashProcess
from tests.contract.emitter.receiver import Receiver, receiver
from tests.fakes.queue import FakeQueue


@pytest.fixture(scope="session")
def local_qstash(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QStashProcess]:
    process = QStashProcess(tmp_path_factory.mktemp("qstash") / "data")
    try:
        yield process
    finally:
        process.stop()


@pytest.fixture
async def endpoint() -> AsyncIterator[Receiver]:
    async with receiver() as made:
        yield made


@pytest.fixture
def settings(local_qstash: QStashProcess, endpoint: Receiver) -> Settings:
    """Of a program that publishes to the queue and is delivered to at the endpoint."""
    return local_qstash.settings(endpoint.url)


@pytest.fixture(params=["fake", "real"])
async def queue(request: pytest.FixtureRequest) -> AsyncIterator[Queue]:
    if request.param == "fake":
        yield FakeQueue()
        return
    process: QStashProcess = request.getfixturevalue("local_qstash")
    real = QStashQueue(process.settings("http://127.0.0.1:9"))
    yield real
    await real.close()
