"""Long-term memory finds what is meant: entries that share no word with the question, among a thousand others.

The lines were judged beforehand: each question is answered by one entry.
"""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from baton.sdk.memory.keeper import MemoryKeeper
from baton.sdk.memory.policy import Memory
from baton.settings.settings import Settings
from baton.store.vector import UpstashLongTermMemory
from tests.contract.memory.conftest import an_entry
from tests.contract.vector_rest.local_vector import TOKEN, LocalVector
from tests.fakes.stored import FakeSessionMemory

MODEL = ("--dimension", "256", "--embedder", "tests.contract.memory.small_model:embed")
JUDGED = {
    "Flights to Lisbon are cheapest in February.": "when to book a low-priced trip to Portugal",
    "The puppy sleeps beside the radiator at night.": "where does our dog rest in the evening",
    "Our physician prescribes antibiotics for pneumonia.": "medicine that a doctor gives against a lung infection",
    "A court sentenced the burglar to two years.": "how long must this thief stay in prison",
    "Rain and thunder are expected along the coast.": "weather forecast by seaside: storm",
    "The orchestra rehearses its symphony on Mondays.": "weekly practice of musicians",
    "Add flour and yeast, then bake the loaf for an hour.": "recipe: bread from my oven",
    "The striker scored three goals in the final.": "football player who won a last match",
    "Her salary is paid at each month's end.": "when does an employee receive wages",
    "The vehicle needs new tyres before winter.": "car maintenance: wheels suitable with snow",
    "A virus deleted the files on the laptop.": "malware destroyed data, computer",
    "The volcano covered a village with lava.": "eruption that ruined homes",
    "Farmers harvest wheat at the end of summer.": "collecting grain crop, agriculture",
    "The actress won a prize for her role.": "award given to some performer in this movie",
    "The engineer repaired the bridge over the river.": "construction work, crossing above water",
}
OTHERS = [
    f"{what} number {number} of the {place} was {done}."
    for what in ("Invoice", "Order", "Ticket", "Parcel", "Report")
    for place in ("warehouse", "office", "archive", "depot")
    for done in ("checked", "moved", "signed", "printed", "returned")
    for number in range(10)
]


@pytest.fixture
def url(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    with LocalVector(tmp_path, *request.param, cwd=tmp_path) as server:
        yield server.url


async def found(url: str, others: Sequence[str]) -> list[bool]:
    """Of each question, whether the entry that answers it is the first one that a job is given."""
    index = UpstashLongTermMemory(Settings(vector_url=url, vector_token=TOKEN))
    keeper, texts = MemoryKeeper(FakeSessionMemory(), index, limit_seconds=60), [*JUDGED, *others]
    for at in range(0, len(texts), 50):
        await asyncio.gather(*(index.add("t", an_entry(text, text, session="old")) for text in texts[at : at + 50]))
    hits = list[bool]()
    for text, question in JUDGED.items():
        recalled = (await keeper.retrieve(Memory(), "t", "new", question, "job_new")).entries
        hits.append(bool(recalled) and recalled[0].entry.text == text)
    await index.close()
    return hits


@pytest.mark.parametrize("url", [MODEL], indirect=True)
@pytest.mark.parametrize("others", [100, pytest.param(1_000, marks=pytest.mark.long)])
async def test_a_memory_is_found_by_its_meaning_among_many_others(url: str, others: int) -> None:
    hits = await found(url, OTHERS[:: 1_000 // others])
    assert sum(hits) >= 0.9 * len(hits), hits


@pytest.mark.parametrize("url", [()], indirect=True)
async def test_the_hashing_embedder_knows_no_meaning(url: str) -> None:
    """So the lines above say something of the model."""
    assert sum(await found(url, [])) < 0.5 * len(JUDGED)
