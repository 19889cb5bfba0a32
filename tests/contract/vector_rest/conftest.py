"""Servers as processes of their own, for every test in this folder; each test begins with an empty index."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.contract.coverage.either import EitherIndex
from tests.contract.vector_rest.local_vector import TOKEN, LocalVector


def _served(factory: pytest.TempPathFactory, *options: str) -> Iterator[LocalVector]:
    with LocalVector(factory.mktemp("vector"), *options) as running:
        yield running
        assert running.stop()[0] == 0


@pytest.fixture(scope="session")
def shared_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalVector]:
    yield from _served(tmp_path_factory, "--dimension", "2", "--embedder", "none", "--faults")


@pytest.fixture(scope="session")
def shared_texts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalVector]:
    yield from _served(tmp_path_factory)


@pytest.fixture
def plane(shared_plane: LocalVector) -> LocalVector:
    shared_plane.empty()
    return shared_plane


@pytest.fixture
def texts(shared_texts: LocalVector) -> LocalVector:
    shared_texts.empty()
    return shared_texts


@pytest.fixture(params=["sync", "async"])
async def sdk(request: pytest.FixtureRequest, plane: LocalVector) -> AsyncIterator[EitherIndex]:
    """The official client of the two-dimensional server, once sync and once async."""
    client = EitherIndex(request.param, plane.url, TOKEN)
    yield client
    await client.close()


@pytest.fixture(params=["sync", "async"])
async def text_sdk(request: pytest.FixtureRequest, texts: LocalVector) -> AsyncIterator[EitherIndex]:
    client = EitherIndex(request.param, texts.url, TOKEN)
    yield client
    await client.close()
