"""The slot table of keys: the fake and Redis know and forget the same."""

import json
from collections.abc import AsyncIterator

import pytest

from baton.storage.ports.access import ApiKeyStore, StoredKey
from baton.storage.redis.access import RedisApiKeyStore
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.side import connection_to
from tests.fakes.api_key_store import FakeApiKeyStore

OLD = StoredKey("a" * 64, "client", "acme", "bk_client_aaaaaa", 'é 😀 " label', 1)
NEW = StoredKey("b" * 64, "admin", "operators", "bk_admin_bbbbbb", "", 2)


@pytest.fixture(params=["fake", "rest", pytest.param("resp", marks=pytest.mark.long)])
async def slot_table(request: pytest.FixtureRequest) -> AsyncIterator[ApiKeyStore]:
    """Each side in turn, empty."""
    if request.param == "fake":
        yield FakeApiKeyStore()
        return
    server: RedisProcess = request.getfixturevalue("redis_server")
    process = server.over(request.param)
    process.request("FLUSHALL")
    connection = connection_to(process)
    try:
        yield RedisApiKeyStore(connection)
    finally:
        await connection.close()


async def test_a_key_is_found_as_it_was_added(slot_table: ApiKeyStore) -> None:
    """By its digest alone."""
    await slot_table.add(OLD)
    assert await slot_table.find(OLD.digest) == OLD
    assert await slot_table.find(NEW.digest) is None


async def test_all_keys_are_listed_the_oldest_first(slot_table: ApiKeyStore) -> None:
    """None at first."""
    assert await slot_table.all() == ()
    for key in (NEW, OLD):
        await slot_table.add(key)
    assert await slot_table.all() == (OLD, NEW)


async def test_a_revoked_key_is_gone(slot_table: ApiKeyStore) -> None:
    """Once; the second time there is nothing to revoke."""
    await slot_table.add(OLD)
    await slot_table.used(OLD.digest, "2026-01-31")
    assert [await slot_table.revoke(OLD.digest) for _ in range(2)] == [True, False]
    assert await slot_table.find(OLD.digest) is None
    assert await slot_table.all() == ()


async def test_a_key_knows_its_last_day(slot_table: ApiKeyStore) -> None:
    """Found and listed with it; a day noted late, of a key that was revoked meanwhile, makes no key."""
    await slot_table.add(OLD)
    await slot_table.used(OLD.digest, "2026-01-31")
    await slot_table.used(NEW.digest, "2026-01-31")
    found = await slot_table.find(OLD.digest)
    assert found is not None
    assert found.used_day == "2026-01-31"
    assert await slot_table.all() == (found,)
    assert await slot_table.find(NEW.digest) is None


@pytest.mark.bridge
async def test_each_look_is_one_request_and_one_command(redis_process: RedisProcess) -> None:
    """As dear as any read."""
    redis_process.request("FLUSHALL")
    connection = connection_to(redis_process)
    try:
        slot_table = RedisApiKeyStore(connection)
        await slot_table.add(OLD)
        before = redis_process.counted()
        await slot_table.find(OLD.digest)
        spent = redis_process.counted().since(before)
    finally:
        await connection.close()
    assert (spent.requests, spent.commands) == (1, 1)
    assert redis_process.request("KEYS", "*") == ["baton:{keys}:api"]


async def test_a_record_of_a_later_version_is_read(redis_process: RedisProcess) -> None:
    """Old and new code run at once while a deployment changes."""
    redis_process.request("FLUSHALL")
    connection = connection_to(redis_process)
    try:
        slot_table = RedisApiKeyStore(connection)
        await slot_table.add(OLD)
        later = json.loads(redis_process.request("HGET", "baton:{keys}:api", OLD.digest)) | {"scopes": ["jobs"]}
        redis_process.request("HSET", "baton:{keys}:api", OLD.digest, json.dumps(later))
        assert await slot_table.find(OLD.digest) == OLD
    finally:
        await connection.close()
