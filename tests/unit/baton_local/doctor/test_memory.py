import pytest

from baton_events.errors import MemoryUnavailableError
from baton_local.doctor.finding import Level
from baton_local.doctor.store import check_memory
from tests.fakes import FakeLongTermMemory


async def test_an_index_that_answers_is_well_and_none_is_no_fault() -> None:
    memory = FakeLongTermMemory()
    (found,) = await check_memory(memory)
    assert found.level is Level.OK
    assert memory.entries == {}
    assert await check_memory(None) == []


@pytest.mark.parametrize(
    ("error", "way_out"),
    [
        ("answered 'Unauthorized'", "UPSTASH_VECTOR_REST_TOKEN"),
        ("The index must be created with an embedding model to use it.", "takes vectors only"),
        ("no usable answer (ConnectError)", "check UPSTASH_VECTOR_REST_URL"),
    ],
)
async def test_each_way_not_to_be_of_use_has_its_way_out(error: str, way_out: str) -> None:
    memory = FakeLongTermMemory()
    memory.down = MemoryUnavailableError(error)
    (found,) = await check_memory(memory)
    assert (found.level, found.text, way_out in found.way_out) == (Level.FAILED, error, True), found
