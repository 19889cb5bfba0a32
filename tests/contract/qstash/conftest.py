"""One server process and one destination per module; both kinds of SDK clients."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio

from baton_local.qstash.settings import DEVELOPMENT_USERS
from tests.contract.qstash.destination import Destination
from tests.contract.qstash.either_client import EitherClient
from tests.unit.baton_local.qstash.server_process import ServerProcess

_numbers = itertools.count(1)
_TRIES, _PAUSE_SECONDS = 5_000, 0.02


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("qstash"), "--no-sync", "--read-only-token", "reader") as process:
        yield process


@pytest.fixture(scope="module")
def destination() -> Iterator[Destination]:
    with Destination() as running:
        yield running


@pytest_asyncio.fixture(params=["sync", "async"])
async def sdk(request: pytest.FixtureRequest, server: ServerProcess) -> AsyncIterator[EitherClient]:
    client = EitherClient(request.param, DEVELOPMENT_USERS[0].token, server.url)
    yield client
    await client.close()


@pytest.fixture
def name() -> str:
    """A name that no other test uses: for paths, labels, queues, groups."""
    return f"n{next(_numbers)}"


@pytest.fixture
def eventually() -> Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]:
    async def ask(question: Callable[[], Awaitable[Any]]) -> Any:
        for _ in range(_TRIES):
            if answer := await question():
                return answer
            await asyncio.sleep(_PAUSE_SECONDS)
        raise AssertionError("not true in time")

    return ask
