"""An index that shows late what it took, as the hosted service does (vector-rest.md 6)."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from baton.memory.keeper import MemoryKeeper
from baton.settings.settings import Settings
from baton.vector import UpstashLongTermMemory
from tests.contract.memory.conftest import an_entry
from tests.contract.vector_rest.local_vector import TOKEN, LocalVector
from tests.fakes import FakeSessionMemory

DELAY_MS, FOREVER_MS = 200, 600_000


@pytest.fixture
def lagging(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[LocalVector]:
    """A server with a delay of so many milliseconds."""
    with LocalVector(tmp_path, "--index-delay-ms", str(request.param)) as server:
        yield server


def settle(server: LocalVector) -> None:
    give_up_at = time.monotonic() + 120
    while server.result("/info")["pendingVectorCount"]:
        assert time.monotonic() < give_up_at
        time.sleep(DELAY_MS / 10_000)


@pytest.mark.parametrize("lagging", [FOREVER_MS], indirect=True)
async def test_what_was_just_stored_may_not_be_found_and_that_is_no_error(lagging: LocalVector) -> None:
    index = UpstashLongTermMemory(Settings(vector_url=lagging.url, vector_token=TOKEN))
    keeper = MemoryKeeper(FakeSessionMemory(), index)
    assert await keeper.store("t", an_entry())
    assert await index.search("t", an_entry().text, 5, 0) == ()
    assert await keeper.recent("t", "s") == (an_entry(),)
    await index.close()


@pytest.mark.parametrize("lagging", [DELAY_MS], indirect=True)
async def test_what_was_just_stored_is_forgotten_before_it_is_shown(lagging: LocalVector) -> None:
    """It does not come back once the index has caught up; another session's entry does."""
    index = UpstashLongTermMemory(Settings(vector_url=lagging.url, vector_token=TOKEN))
    keeper = MemoryKeeper(FakeSessionMemory(), index)
    for name, session in (("a", "s"), ("b", "s2")):
        await keeper.store("t", an_entry(name, session=session))
    await keeper.forget("t", "s", 5000)
    settle(lagging)
    assert [hit.entry.id for hit in await index.search("t", an_entry().text, 5, 0)] == ["b"]
    await index.close()
