"""Every public method of the Python SDK's vector index: a success and an error."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from upstash_vector.errors import UpstashError

from baton_local.fixtures.servers import VectorServer
from tests.contract.coverage.either import EitherIndex
from tests.contract.coverage.vector_cases import CASES, ELSEWHERE, RECORDS, UNAUTHORISED


@dataclass(frozen=True)
class Clients:
    """One kind of client, with the right and a wrong token, and the loop that it lives in."""

    loop: asyncio.Runner
    index: EitherIndex
    stranger: EitherIndex


@pytest.fixture(scope="module", params=["sync", "async"])
def clients(request: pytest.FixtureRequest, vector_process: VectorServer) -> Iterator[Clients]:
    """Kept for the whole module: making one costs more than a test."""
    index = EitherIndex(request.param, vector_process.url, vector_process.token)
    stranger = EitherIndex(request.param, vector_process.url, "wrong")
    with asyncio.Runner() as loop:
        yield Clients(loop, index, stranger)
        loop.run(index.close())
        loop.run(stranger.close())


@pytest.fixture(autouse=True)
def records(vector_server: VectorServer) -> None:
    """What every case finds."""
    vector_server.call("POST", "/upsert-data", RECORDS)
    vector_server.call("POST", "/upsert-data/ns", ELSEWHERE)


@pytest.mark.parametrize("name", CASES)
def test_it_succeeds(clients: Clients, name: str) -> None:
    """With the result that the service documents."""

    async def succeed() -> None:
        await CASES[name].succeeds(clients.index)

    clients.loop.run(succeed())


@pytest.mark.parametrize("name", CASES)
def test_it_reports_errors(clients: Clients, name: str) -> None:
    """With a text that names what is wrong; a method that no argument can make fail is called with a wrong token."""
    case = CASES[name]

    async def fail() -> None:
        await case.fails(clients.stranger if case.error == UNAUTHORISED else clients.index)

    with pytest.raises(UpstashError, match=case.error):
        clients.loop.run(fail())
