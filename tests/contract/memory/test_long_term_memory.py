"""A tenant's long-term entries: the same for the fake and for a vector index."""

import pytest

from baton.sdk.memory import LongTermMemory
from baton.settings.settings import Settings
from baton.vector import UpstashLongTermMemory
from baton_events.errors import MemoryUnavailableError
from baton_local.fixtures.servers import VectorFaults, VectorServer
from tests.contract.memory.conftest import an_entry

LAMP, FOG, BREAD = "the lamp on the tower is red", "the fog horn sounds twice a minute", "bread needs flour and salt"


async def kept(memory: LongTermMemory, tenant: str = "t", text: str = LAMP, session: str = "") -> list[str]:
    return sorted(hit.entry.id for hit in await memory.search(tenant, text, 100, 0, session))


async def test_nothing_is_found_where_nothing_is(long_term: LongTermMemory) -> None:
    assert await long_term.search("t", LAMP, 5, 0) == ()
    await long_term.delete("t", ("a",))
    await long_term.delete("t", ())
    assert await long_term.forget("t", "s") == 0


async def test_the_likest_entry_comes_first_and_as_it_was(long_term: LongTermMemory) -> None:
    for name, text in (("a", BREAD), ("b", LAMP), ("c", FOG)):
        await long_term.add("t", an_entry(name, text, session="it's “s”"))
    best, *others = await long_term.search("t", LAMP, 10, 0)
    assert (best.entry, best.score) == (an_entry("b", LAMP, session="it's “s”"), 1)
    assert [hit.score for hit in others] == sorted((hit.score for hit in others), reverse=True)
    assert all(hit.score < 0.9 for hit in others)


async def test_a_limit_and_a_minimum_score_leave_entries_out(long_term: LongTermMemory) -> None:
    for name, text in (("a", BREAD), ("b", LAMP), ("c", FOG)):
        await long_term.add("t", an_entry(name, text))
    assert [hit.entry.id for hit in await long_term.search("t", LAMP, 1, 0)] == ["b"]
    assert [hit.entry.id for hit in await long_term.search("t", LAMP, 10, 0.95)] == ["b"]


async def test_storing_twice_is_one_entry(long_term: LongTermMemory) -> None:
    await long_term.add("t", an_entry("a", LAMP))
    await long_term.add("t", an_entry("a", FOG))
    assert [hit.entry.text for hit in await long_term.search("t", FOG, 10, 0)] == [FOG]


async def test_tenants_are_apart(long_term: LongTermMemory) -> None:
    for tenant in ("t", "t2", "../t", ""):
        await long_term.add(tenant, an_entry(f"of {tenant}", LAMP))
    for tenant in ("t", "t2", "../t", ""):
        assert await kept(long_term, tenant) == [f"of {tenant}"]


async def test_sessions_can_be_searched_and_forgotten_alone(long_term: LongTermMemory) -> None:
    greedy = "s' OR HAS FIELD session OR session = '"
    for name, session in (("a", "s"), ("b", greedy), ("c", "s2")):
        await long_term.add("t", an_entry(name, LAMP, session=session))
    assert await kept(long_term, session=greedy) == ["b"]
    assert await long_term.forget("t", greedy) == 1
    assert await kept(long_term) == ["a", "c"]
    assert await long_term.forget("t2", "s") == 0
    assert await long_term.forget("t", "s") == 1
    assert await long_term.forget("t", "s") == 0
    assert await kept(long_term) == ["c"]


async def test_entries_can_be_deleted_by_id(long_term: LongTermMemory) -> None:
    for tenant in ("t", "t2"):
        for name in ("a", "b"):
            await long_term.add(tenant, an_entry(name, LAMP))
    await long_term.delete("t", ("a", "unknown"))
    assert (await kept(long_term), await kept(long_term, "t2")) == (["b"], ["a", "b"])


async def test_an_outage_has_one_name(real_long_term: UpstashLongTermMemory, vector_faults: VectorFaults) -> None:
    """Whatever is asked; and nothing is sent twice, so a lost answer is an outage, too."""
    for ask in (
        lambda: real_long_term.add("t", an_entry()),
        lambda: real_long_term.search("t", LAMP, 5, 0),
        lambda: real_long_term.delete("t", ("a",)),
        lambda: real_long_term.forget("t", "s"),
    ):
        vector_faults.refuse(1)
        with pytest.raises(MemoryUnavailableError, match="vector index at http"):
            await ask()
        vector_faults.drop_answers(1)
        with pytest.raises(MemoryUnavailableError, match="is it running"):
            await ask()


async def test_a_slow_index_is_an_outage(vector_server: VectorServer, vector_faults: VectorFaults) -> None:
    settings = Settings(vector_url=vector_server.url, vector_token=vector_server.token, vector_timeout_seconds=1)
    memory = UpstashLongTermMemory(settings)
    vector_faults.delay(5, 1)
    with pytest.raises(MemoryUnavailableError, match="within 1 s"):
        await memory.search("t", LAMP, 5, 0)
    await memory.close()


async def test_a_wrong_token_says_which_setting(vector_server: VectorServer) -> None:
    memory = UpstashLongTermMemory(Settings(vector_url=vector_server.url, vector_token="wrong-one"))
    with pytest.raises(MemoryUnavailableError, match="check UPSTASH_VECTOR_REST_TOKEN") as refused:
        await memory.add("t", an_entry())
    assert "wrong-one" not in str(refused.value)
    await memory.close()


async def test_records_of_somebody_else_are_passed_over(
    real_long_term: UpstashLongTermMemory, vector_server: VectorServer
) -> None:
    vector_server.call(
        "POST", "/upsert-data/tenant-t", [{"id": "x", "data": LAMP}, {"id": "y", "data": LAMP, "metadata": {}}]
    )
    await real_long_term.add("t", an_entry("a", LAMP))
    assert await kept(real_long_term) == ["a"]
