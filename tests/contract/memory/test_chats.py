"""What chats keep beside their jobs: the same for the fake and for Redis."""

from baton.storage.ports.chats import Chats
from baton.storage.redis.keys import files_key, sessions_key
from tests.contract.memory.conftest import RETENTION_MS, Real


async def test_sessions_come_the_newest_first_and_page_by_page(chats: Chats) -> None:
    """Also where several were used at the same moment; a session that is used again is a newer one."""
    for name, at_ms in (("a", 1), ("b", 2), ("c", 2), ("d", 2), ("a", 3)):
        await chats.note_session("t", name, at_ms)
    await chats.note_session("other", "x", 5)
    assert await chats.newest_sessions("t", 9, 0, 2) == [("a", 3), ("d", 2)]
    assert await chats.newest_sessions("t", 2, 1, 9) == [("c", 2), ("b", 2)]
    assert (await chats.session_used_ms("t", "a"), await chats.session_used_ms("t", "x")) == (3, None)


async def test_a_large_file_comes_back_whole(chats: Chats) -> None:
    text = "".join(chr(97 + number % 26) for number in range(5_000_003))
    await chats.keep_file("t", "s", "large", text)
    await chats.keep_file("t", "s", "empty", "")
    assert await chats.read_file("t", "s", "large") == text
    assert await chats.read_file("t", "s", "empty") == ""
    assert await chats.read_file("t", "s2", "large") is None


async def test_a_forgotten_chat_is_gone_with_its_files(chats: Chats) -> None:
    await chats.note_session("t", "s", 1)
    await chats.keep_file("t", "s", "f", "text")
    for _ in range(2):
        await chats.forget_chat("t", "s")
    assert (await chats.session_used_ms("t", "s"), await chats.read_file("t", "s", "f")) == (None, None)


async def test_what_was_not_used_for_the_retention_time_is_dropped(real_session: Real) -> None:
    chats = real_session.chats
    await chats.note_session("t", "old", 5)
    await chats.note_session("t", "new", 6 + RETENTION_MS)
    await chats.keep_file("t", "s", "f", "text")
    assert await chats.newest_sessions("t", 10**15, 0, 9) == [("new", 6 + RETENTION_MS)]
    for key in (sessions_key("t"), files_key("t", "s"), files_key("t", "s", "f")):
        assert 0 < real_session.server.call("POST", "/", ["PTTL", key])["result"] <= RETENTION_MS
