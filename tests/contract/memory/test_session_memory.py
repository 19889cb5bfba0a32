"""A session's newest entries: the same for the fake and for Redis."""

import asyncio

import pytest

from baton.sdk.memory import SESSION_ENTRIES, SessionMemory
from baton.storage.redis.keys import session_memory_key
from tests.contract.memory.conftest import RETENTION_MS, Real, an_entry


async def test_an_unknown_session_has_no_entries(session_memory: SessionMemory) -> None:
    assert await session_memory.recent("t", "s") == ()
    assert await session_memory.forget("t", "s", 5) == ()


async def test_entries_come_back_as_they_were_the_oldest_first(session_memory: SessionMemory) -> None:
    entries = [an_entry(f"job_{n}", f"text {n} “ü” \u2028 \\/", at_ms=1_800_000_000_000 + n) for n in range(3)]
    for entry in (entries[2], entries[0], entries[1]):
        assert await session_memory.add("t", entry)
    assert await session_memory.recent("t", "s") == tuple(entries)


async def test_storing_twice_is_one_entry(session_memory: SessionMemory) -> None:
    await session_memory.add("t", an_entry(text="old"))
    await session_memory.add("t", an_entry(text="new"))
    assert await session_memory.recent("t", "s") == (an_entry(text="new"),)


async def test_only_the_newest_stay(session_memory: SessionMemory) -> None:
    entries = [an_entry(f"job_{n:02}", at_ms=1000 + n) for n in range(SESSION_ENTRIES + 3)]
    for entry in [*entries, entries[0], entries[1]]:
        await session_memory.add("t", entry)
    assert await session_memory.recent("t", "s") == tuple(entries[-SESSION_ENTRIES:])


async def test_sessions_and_tenants_are_apart(session_memory: SessionMemory) -> None:
    places = [("t", "s"), ("t2", "s"), ("ts", ""), ("", "ts"), ("t", "s}{x"), ("t", "s:recent")]
    for tenant, session in places:
        await session_memory.add(tenant, an_entry(text=f"{tenant}|{session}", session=session))
    for tenant, session in places:
        assert [entry.text for entry in await session_memory.recent(tenant, session)] == [f"{tenant}|{session}"]
    await session_memory.forget("t", "s", 5000)
    assert await session_memory.recent("t", "s") == ()
    assert len(await session_memory.recent("t2", "s")) == 1


async def test_forgetting_reports_what_was_there_and_can_be_repeated(session_memory: SessionMemory) -> None:
    for name in ("job_b", "job_a"):
        await session_memory.add("t", an_entry(name))
    assert await session_memory.forget("t", "s", 5000) == ("job_a", "job_b")
    assert await session_memory.forget("t", "s", 5000) == ()


async def test_what_a_job_from_before_adds_is_refused(session_memory: SessionMemory) -> None:
    """A word that comes late brings nothing back; an older word of forgetting takes nothing of this back."""
    await session_memory.forget("t", "s", 5000)
    await session_memory.forget("t", "s", 10)
    assert not await session_memory.add("t", an_entry("job_a", at_ms=5000))
    assert await session_memory.add("t", an_entry("job_b", at_ms=5001))
    assert [entry.id for entry in await session_memory.recent("t", "s")] == ["job_b"]


@pytest.mark.parametrize("forgotten", [False, True])
async def test_a_session_that_is_left_alone_expires(real_session: Real, *, forgotten: bool) -> None:
    await real_session.memory.add("t", an_entry())
    if forgotten:
        await real_session.memory.forget("t", "s", 5000)
    left_ms = real_session.server.call("POST", "/", ["PTTL", session_memory_key("t", "s")])["result"]
    assert 0 < left_ms <= RETENTION_MS


async def test_entries_that_are_added_at_once_are_all_kept(session_memory: SessionMemory) -> None:
    entries = [an_entry(f"job_{n}", at_ms=1000 + n) for n in range(4)]
    assert await asyncio.gather(*(session_memory.add("t", entry) for entry in entries)) == [True] * 4
    assert await session_memory.recent("t", "s") == tuple(entries)
