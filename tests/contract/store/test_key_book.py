"""The book of keys: the fake and Redis know and forget the same."""

import json
from collections.abc import AsyncIterator

import pytest

from baton.adapters.key_book import RedisKeyBook
from baton.ports import KeyBook, StoredKey
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.side import connection_to
from tests.fakes.key_book import FakeKeyBook

OLD = StoredKey("a" * 64, "client", "acme", "bk_client_aaaaaa", 'é 😀 " label', 1)
NEW = StoredKey("b" * 64, "admin", "operators", "bk_admin_bbbbbb", "", 2)


@pytest.fixture(params=["fake", "rest", pytest.param("resp", marks=pytest.mark.long)])
async def book(request: pytest.FixtureRequest) -> AsyncIterator[KeyBook]:
    """Each side in turn, empty."""
    if request.param == "fake":
        yield FakeKeyBook()
        return
    server: RedisProcess = request.getfixturevalue("redis_server")
    process = server.over(request.param)
    process.ask("FLUSHALL")
    connection = connection_to(process)
    try:
        yield RedisKeyBook(connection)
    finally:
        await connection.close()


async def test_a_key_is_found_as_it_was_added(book: KeyBook) -> None:
    """By its digest alone."""
    await book.add(OLD)
    assert await book.find(OLD.digest) == OLD
    assert await book.find(NEW.digest) is None


async def test_all_keys_are_listed_the_oldest_first(book: KeyBook) -> None:
    """None at first."""
    assert await book.all() == ()
    for key in (NEW, OLD):
        await book.add(key)
    assert await book.all() == (OLD, NEW)


async def test_a_revoked_key_is_gone(book: KeyBook) -> None:
    """Once; the second time there is nothing to revoke."""
    await book.add(OLD)
    await book.used(OLD.digest, "2026-01-31")
    assert [await book.revoke(OLD.digest) for _ in range(2)] == [True, False]
    assert await book.find(OLD.digest) is None
    assert await book.all() == ()


async def test_a_key_knows_its_last_day(book: KeyBook) -> None:
    """Found and listed with it; a day noted late, of a key that was revoked meanwhile, makes no key."""
    await book.add(OLD)
    await book.used(OLD.digest, "2026-01-31")
    await book.used(NEW.digest, "2026-01-31")
    found = await book.find(OLD.digest)
    assert found is not None
    assert found.used_day == "2026-01-31"
    assert await book.all() == (found,)
    assert await book.find(NEW.digest) is None


@pytest.mark.bridge
async def test_each_look_is_one_request_and_one_command(redis_process: RedisProcess) -> None:
    """As dear as any read."""
    redis_process.ask("FLUSHALL")
    connection = connection_to(redis_process)
    try:
        book = RedisKeyBook(connection)
        await book.add(OLD)
        before = redis_process.counted()
        await book.find(OLD.digest)
        spent = redis_process.counted().since(before)
    finally:
        await connection.close()
    assert (spent.requests, spent.commands) == (1, 1)
    assert redis_process.ask("KEYS", "*") == ["baton:{keys}:api"]


async def test_a_record_of_a_later_version_is_read(redis_process: RedisProcess) -> None:
    """Old and new code run at once while a deployment changes."""
    redis_process.ask("FLUSHALL")
    connection = connection_to(redis_process)
    try:
        book = RedisKeyBook(connection)
        await book.add(OLD)
        later = json.loads(redis_process.ask("HGET", "baton:{keys}:api", OLD.digest)) | {"scopes": ["jobs"]}
        redis_process.ask("HSET", "baton:{keys}:api", OLD.digest, json.dumps(later))
        assert await book.find(OLD.digest) == OLD
    finally:
        await connection.close()
