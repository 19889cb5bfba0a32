"""A session's newest entries, and what chats keep beside their jobs."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from msgspec import structs

from baton.engine.commit.stored_bytes import LEAST_FILE_MS
from baton.sdk.records.memory import SESSION_ENTRIES, MemoryEntry, SessionMemory
from baton.store.redis.agent_memory import Chats, RedisSessionMemory
from baton.store.redis.connection import RedisConnection
from baton.store.redis.keys import files_key, session_memory_key, sessions_key
from baton_events.errors import StoreError
from baton_events.ids import call_id
from tests.contract.memory.conftest import RETENTION_MS, an_entry
from tests.fakes.stored import FakeConnection, FakeRedis
from tests.unit.baton.whole.test_sealed import K1


@contextmanager
def answers(connection: FakeConnection, requests: int) -> Iterator[None]:
    """Let so many requests through, and none after them."""
    send, left = connection._send, [None] * requests

    async def failing(*request: Any, **more: Any) -> Any:
        if not left:
            raise StoreError("away")
        left.pop()
        return await send(*request, **more)

    connection._send = failing  # type: ignore[method-assign]
    try:
        yield
    finally:
        connection._send = send  # type: ignore[method-assign]


async def test_entries_come_back_as_they_were_the_oldest_first(session_memory: SessionMemory) -> None:
    """In the order of their jobs, whenever they were added."""
    assert await session_memory.recent("t", "s") == ()
    entries = [an_entry(f"job_{n}", f"text {n} “ü” \u2028 \\/", at_ms=1_800_000_000_000 + n) for n in range(3)]
    for entry in (entries[2], entries[0], entries[1]):
        assert await session_memory.add("t", entry)
    assert await session_memory.recent("t", "s") == tuple(entries)


async def test_storing_twice_is_one_entry(session_memory: SessionMemory) -> None:
    """The later one stays: a job that ran again has another answer."""
    for text in ("old", "new"):
        await session_memory.add("t", an_entry(text=text))
    assert await session_memory.recent("t", "s") == (an_entry(text="new"),)


def of_job(name: str) -> MemoryEntry:
    return structs.replace(an_entry(name), job_id=name)


async def test_a_job_that_is_dropped_leaves_nothing_and_adds_nothing(session_memory: SessionMemory) -> None:
    """Nor do the jobs below it; others of the session, and of other tenants, stay. It may be repeated."""
    note = call_id("job_1.below", 1, 0, "remember", {})
    mine = (of_job("job_1"), structs.replace(an_entry(note), kind="note", job_id="job_1.below"))
    others = (of_job("job_0"), of_job("job_12"))
    for entry in (*mine, *others):
        assert await session_memory.add("t", entry)
        assert await session_memory.add("t2", entry)
    assert set(await session_memory.forget_jobs("t", "s", ("job_1", "job_7"))) == {entry.id for entry in mine}
    assert await session_memory.forget_jobs("t", "s", ("job_1", "job_7")) == ()
    assert [await session_memory.add("t", entry) for entry in (*mine, of_job("job_7"))] == [False] * 3
    assert set(await session_memory.recent("t", "s")) == set(others)
    assert len(await session_memory.recent("t2", "s")) == 4


async def test_only_the_newest_stay(session_memory: SessionMemory) -> None:
    """An older one that comes late, or a second time, replays none of them away."""
    entries = [an_entry(f"job_{n:02}", at_ms=1000 + n) for n in range(SESSION_ENTRIES + 3)]
    for entry in [*entries, entries[0], entries[1]]:
        await session_memory.add("t", entry)
    assert await session_memory.recent("t", "s") == tuple(entries[-SESSION_ENTRIES:])


async def test_sessions_and_tenants_are_apart(session_memory: SessionMemory) -> None:
    """Also where their names run together, or look like keys."""
    places = [("t", "s"), ("t2", "s"), ("ts", ""), ("", "ts"), ("t", "s}{x"), ("t", "s:recent")]
    for tenant, session in places:
        await session_memory.add(tenant, an_entry(text=f"{tenant}|{session}", session=session))
    for tenant, session in places:
        assert [entry.text for entry in await session_memory.recent(tenant, session)] == [f"{tenant}|{session}"]
    await session_memory.forget("t", "s", 5000)
    assert await session_memory.recent("t", "s") == ()
    assert len(await session_memory.recent("t2", "s")) == 1


async def test_forgetting_reports_what_was_there_and_refuses_what_a_job_from_before_adds(
    session_memory: SessionMemory,
) -> None:
    """A word that comes late brings nothing back; an older word of forgetting takes nothing of this back."""
    for name in ("job_b", "job_a"):
        await session_memory.add("t", an_entry(name))
    forgotten = [await session_memory.forget("t", "s", before_ms) for before_ms in (5000, 5000, 10)]
    assert forgotten == [("job_a", "job_b"), (), ()]
    assert not await session_memory.add("t", an_entry("job_a", at_ms=5000))
    assert await session_memory.add("t", an_entry("job_b", at_ms=5001))
    assert [entry.id for entry in await session_memory.recent("t", "s")] == ["job_b"]


async def test_entries_that_are_added_at_once_are_all_kept(session_memory: SessionMemory) -> None:
    """Who wrote upon what was there before, and is not any more, looks again."""
    entries = [an_entry(f"job_{n}", at_ms=1000 + n) for n in range(4)]
    assert await asyncio.gather(*(session_memory.add("t", entry) for entry in entries)) == [True] * 4
    assert await session_memory.recent("t", "s") == tuple(entries)


@pytest.mark.parametrize("forgotten", [False, True])
async def test_a_session_that_is_left_alone_expires(connection: RedisConnection, *, forgotten: bool) -> None:
    """What was kept of it, and that it was forgotten."""
    memory = RedisSessionMemory(connection, RETENTION_MS)
    await memory.add("t", an_entry())
    if forgotten:
        await memory.forget("t", "s", 5000)
    assert 0 < await connection.execute("PTTL", session_memory_key("t", "s")) <= RETENTION_MS


async def test_sessions_come_the_newest_first_and_page_by_page(chats: Chats) -> None:
    """Also where several were used at the same moment; a session that is used again is a newer one."""
    for name, at_ms in (("a", 1), ("b", 2), ("c", 2), ("d", 2), ("a", 3)):
        await chats.note_session("t", name, at_ms)
    await chats.note_session("other", "x", 5)
    assert await chats.newest_sessions("t", 9, 0, 2) == [("a", 3), ("d", 2)]
    assert await chats.newest_sessions("t", 2, 1, 9) == [("c", 2), ("b", 2)]
    assert (await chats.session_used_ms("t", "a"), await chats.session_used_ms("t", "x")) == (3, None)


async def test_a_large_file_comes_back_whole(chats: Chats) -> None:
    """In its pieces; of its own session alone."""
    text = "".join(chr(97 + number % 26) for number in range(5_000_003))
    assert await chats.keep_file("t", "s", "large", text, 1)
    assert not await chats.keep_file("t", "s", "large", text, 2)
    await chats.keep_file("t", "s", "empty", "", 1)
    assert await chats.read_file("t", "s", "large") == text
    assert await chats.read_file("t", "s", "empty") == ""
    assert await chats.read_file("t", "s2", "large") is None


async def test_a_forgotten_chat_is_gone_with_its_files(chats: Chats) -> None:
    await chats.note_session("t", "s", 1)
    await chats.keep_file("t", "s", "f", "text", 1)
    assert [await chats.forget_chat("t", "s") for _ in range(2)] == [[(1, 4)], []]
    assert (await chats.session_used_ms("t", "s"), await chats.read_file("t", "s", "f")) == (None, None)


@pytest.mark.parametrize("retention_ms", [1_000, 10 * LEAST_FILE_MS])
async def test_what_was_not_used_for_the_retention_time_is_dropped(
    connection: RedisConnection, retention_ms: int
) -> None:
    """At least two days. Files with their session; of the list of sessions those that are old."""
    chats = Chats(connection, retention_ms)
    kept_ms = max(retention_ms, LEAST_FILE_MS)
    await chats.note_session("t", "old", 5)
    await chats.note_session("t", "new", 6 + kept_ms)
    await chats.keep_file("t", "s", "f", "text", 1)
    assert await chats.newest_sessions("t", 10**15, 0, 9) == [("new", 6 + kept_ms)]
    for key in (sessions_key("t"), files_key("t", "s"), files_key("t", "s", "f")):
        assert 0 < await connection.execute("PTTL", key) <= kept_ms


async def test_a_chat_whose_deletion_fails_is_forgotten_by_the_next_one() -> None:
    """With all of its files: none is left that nothing finds, and the size of each is given back, once."""
    connection = FakeConnection()
    chats = Chats(connection, RETENTION_MS)
    for name in ("a", "b"):
        await chats.keep_file("t", "s", name, "text", 1)
    given_back = list[tuple[int, int]]()

    async def give_back(_tenant: str, kept: Sequence[tuple[int, int]]) -> None:
        given_back.extend(kept)

    for answered in (1, 2, 3):
        with pytest.raises(StoreError), answers(connection, answered):
            await chats.forget_chat("t", "s", give_back)
    await chats.forget_chat("t", "s", give_back)
    assert given_back == [(1, 4)] * 2
    assert [await chats.read_file("t", "s", name) for name in ("a", "b")] == [None, None]
    assert not [key for key in connection.redis.data.values if "files" in key]


@pytest.mark.parametrize("keys", ["", K1])
@pytest.mark.parametrize("answered", range(1, 6))
async def test_a_file_that_is_there_stays_whole_where_keeping_it_again_fails(keys: str, answered: int) -> None:
    """Also while it is written anew: a client sends again what it got no answer to."""
    redis = FakeRedis()
    redis.payload_keys = keys
    connection, text = FakeConnection(redis), "".join(chr(97 + number % 26) for number in range(3_000_003))
    chats = Chats(connection, RETENTION_MS)
    await chats.keep_file("t", "s", "large", text, 1)
    with pytest.raises(StoreError), answers(connection, answered):
        await chats.keep_file("t", "s", "large", text, 2)
    assert await chats.read_file("t", "s", "large") == text


async def test_a_file_that_is_kept_again_in_its_last_moment_stays() -> None:
    """It does not expire between its pieces."""
    connection = FakeConnection()
    chats, clock = Chats(connection, RETENTION_MS), connection.redis.clock
    await chats.keep_file("t", "s", "f", 1_500_000 * "x", 1)
    clock.ms += LEAST_FILE_MS - 1
    send = connection._send

    async def slowly(*request: Any, **more: Any) -> Any:
        answer = await send(*request, **more)
        clock.ms += 1
        return answer

    connection._send = slowly  # type: ignore[method-assign]
    await chats.keep_file("t", "s", "f", 1_500_000 * "x", 2)
    assert await chats.read_file("t", "s", "f") == 1_500_000 * "x"
    for key in (files_key("t", "s"), files_key("t", "s", "f")):
        assert LEAST_FILE_MS - 100 < await connection.execute("PTTL", key) <= LEAST_FILE_MS


async def test_a_file_expires_though_its_chat_is_forgotten_while_it_is_kept(connection: RedisConnection) -> None:
    """Its further pieces came without an expiry: it stayed for ever."""
    chats, execute = Chats(connection, RETENTION_MS), connection.execute

    async def forgotten_before(*command: Any) -> Any:
        if command[:1] == ("HSET",) and command[2] == 1:
            await chats.forget_chat("t", "s")
        return await execute(*command)

    connection.execute = forgotten_before  # type: ignore[method-assign]
    try:
        await chats.keep_file("t", "s", "large", "x" * 3_000_003, 1)
    finally:
        connection.execute = execute  # type: ignore[method-assign]
    assert 0 < await connection.execute("PTTL", files_key("t", "s", "large")) <= LEAST_FILE_MS
