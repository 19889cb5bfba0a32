"""The memory that a tool call may use."""

import pytest

from baton import Memory, ToolError
from baton.executors.tool_context import CallMemory
from baton.memory.keeper import MemoryKeeper
from baton_events.errors import MemoryUnavailableError
from tests.fakes import FakeLongTermMemory, FakeSessionMemory
from tests.unit.baton.memory.sample_entries import JOB, SUBMITTED_MS, an_entry

LAMP, DOOR = "the lamp is red", "the door is green"


class Scene:
    def __init__(self, *, index: bool = True, policy: Memory | None = None) -> None:
        self.session, self.index = FakeSessionMemory(), FakeLongTermMemory()
        self.keeper = MemoryKeeper(self.session, self.index if index else None)
        self.call = CallMemory(self.keeper, JOB, "call_1", policy or Memory())


async def test_a_repeated_attempt_stores_once() -> None:
    scene = Scene()
    for _ in range(2):
        assert await scene.call.remember(LAMP) == {"remembered": True}
    assert list(scene.index.entries) == [("acme", "call_1")]
    assert [entry.text for entry in await scene.keeper.recent("acme", "session_1")] == [LAMP]


async def test_recalling_gives_the_likest_of_the_tenant() -> None:
    scene = Scene(policy=Memory(minimum_score=0.9))
    for name, text, session in (("a", DOOR, "session_1"), ("b", LAMP, "session_2")):
        await scene.keeper.store("acme", an_entry(name, text, session=session))
    await scene.keeper.store("other", an_entry("c", LAMP))
    [found] = (await scene.call.recall(LAMP, 5))["entries"]
    assert found == {
        "text": LAMP,
        "kind": "exchange",
        "agent": "keeper",
        "createdAt": "2027-01-15T07:59:59.000Z",
        "score": 1,
    }


async def test_recalling_reaches_no_further_than_the_agents_memory() -> None:
    scene = Scene(policy=Memory(scope="session"))
    await scene.keeper.store("acme", an_entry("b", LAMP, session="session_2"))
    assert await scene.call.recall(LAMP, 5) == {"entries": []}


async def test_without_an_index_both_say_so() -> None:
    scene = Scene(index=False)
    assert "UPSTASH_VECTOR_REST_URL" in (await scene.call.remember(LAMP))["note"]
    await scene.keeper.store("acme", an_entry("a", DOOR))
    recalled = await scene.call.recall(LAMP, 1)
    assert [entry["text"] for entry in recalled["entries"]] == [LAMP]
    assert "no vector index is configured: set UPSTASH_VECTOR_REST_URL" in recalled["note"]


async def test_a_forgotten_conversation_takes_no_notes() -> None:
    scene = Scene()
    await scene.keeper.forget("acme", "session_1", SUBMITTED_MS)
    assert (await scene.call.remember(LAMP))["remembered"] is False
    assert scene.index.entries == {}


async def test_an_outage_of_the_index_is_worth_another_attempt() -> None:
    scene = Scene()
    scene.index.down = MemoryUnavailableError("no answer from the vector index")
    for ask in (scene.call.remember(LAMP), scene.call.recall(LAMP, 5)):
        with pytest.raises(ToolError, match="no answer from the vector index") as raised:
            await ask
        assert (raised.value.retryable, raised.value.type) == (True, "memory_unavailable")
