"""Every public method of the Python SDK's QStash resources: a success and an error."""

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from qstash.errors import QStashError

from baton_local.fixtures.servers import QStashServer
from tests.contract.coverage.qstash_cases.resources import CASES
from tests.contract.coverage.qstash_cases.scene import UNAUTHORISED, Scene
from tests.contract.qstash.destination import Destination
from tests.contract.qstash.either_client import EitherClient

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Clients:
    """One kind of client, with the right and a wrong token, and the loop that it lives in."""

    loop: asyncio.Runner
    sdk: EitherClient
    stranger: EitherClient


@pytest.fixture(scope="module", params=["sync", "async"])
def clients(request: pytest.FixtureRequest, qstash_process: QStashServer) -> Iterator[Clients]:
    """Kept for the whole module: making one costs more than a test."""
    sdk = EitherClient(request.param, qstash_process.token, qstash_process.url)
    stranger = EitherClient(request.param, "wrong", qstash_process.url)
    with asyncio.Runner() as loop:
        yield Clients(loop, sdk, stranger)
        loop.run(sdk.close())
        loop.run(stranger.close())


@pytest.fixture(scope="module")
def destination() -> Iterator[Destination]:
    """Where messages go."""
    with Destination() as running:
        yield running


@pytest.fixture
def scene(destination: Destination) -> Scene:
    """A name of its own for each test."""
    return Scene(destination, f"case-{next(_numbers)}")


@pytest.mark.parametrize("name", CASES)
def test_it_succeeds(clients: Clients, scene: Scene, name: str) -> None:
    """And has the effect that the service documents."""

    async def succeed() -> None:
        await CASES[name].succeeds(clients.sdk, scene)

    clients.loop.run(succeed())


@pytest.mark.parametrize("name", CASES)
def test_it_reports_errors(clients: Clients, scene: Scene, name: str) -> None:
    """With the documented status; a method that no argument can make fail is called with a wrong token."""
    case = CASES[name]

    async def fail() -> None:
        await case.fails(clients.stranger if case.error == UNAUTHORISED else clients.sdk, scene)

    with pytest.raises(QStashError, match=case.error):
        clients.loop.run(fail())
