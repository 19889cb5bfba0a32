"""Servers as processes of their own, for every test in this folder; each test begins with an empty index."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.contract.vector_rest.local_vector import LocalVector
from tests.contract.vector_rest.sdk import Sdk

DELAY_MS = 300


def _served(factory: pytest.TempPathFactory, *options: str) -> Iterator[LocalVector]:
    with LocalVector(factory.mktemp("vector"), *options) as running:
        yield running
        assert running.stop()[0] == 0


@pytest.fixture(scope="session")
def shared_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalVector]:
    """Two dimensions, no model: vectors that a reader can imagine."""
    yield from _served(tmp_path_factory, "--dimension", "2", "--embedder", "none", "--faults")


@pytest.fixture(scope="session")
def shared_texts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalVector]:
    """As it comes, with the hashing embedder."""
    yield from _served(tmp_path_factory)


@pytest.fixture(scope="session")
def shared_lagging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalVector]:
    """Two dimensions, indexed late."""
    yield from _served(tmp_path_factory, "--dimension", "2", "--index-delay-ms", str(DELAY_MS))


@pytest.fixture
def plane(shared_plane: LocalVector) -> LocalVector:
    """The two-dimensional server, emptied."""
    shared_plane.empty()
    return shared_plane


@pytest.fixture
def texts(shared_texts: LocalVector) -> LocalVector:
    """The server with a model, emptied."""
    shared_texts.empty()
    return shared_texts


@pytest.fixture
def lagging(shared_lagging: LocalVector) -> LocalVector:
    """The server that indexes late, emptied."""
    shared_lagging.empty()
    return shared_lagging


@pytest.fixture(params=["sync", "async"])
async def sdk(request: pytest.FixtureRequest, plane: LocalVector) -> AsyncIterator[Sdk]:
    """The official client of the two-dimensional server, once sync and once async."""
    client = Sdk(request.param, plane.url)
    yield client
    await client.close()


@pytest.fixture(params=["sync", "async"])
async def text_sdk(request: pytest.FixtureRequest, texts: LocalVector) -> AsyncIterator[Sdk]:
    """The official client of the server with a model."""
    client = Sdk(request.param, texts.url)
    yield client
    await client.close()
