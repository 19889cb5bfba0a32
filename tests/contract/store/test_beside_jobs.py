"""What is stored beside jobs: API keys, the audit log, cached answers of models, rate limits, tokens, app events.

Records that a later version has written are read, since old and new code run at once while a deployment changes.
"""

import json
from dataclasses import asdict

import pytest

from baton.engine.all_jobs.slots import FIRST_VALUE_KEPT_MS
from baton.sdk.clock import SystemClock
from baton.sdk.records.memory import ModelCache
from baton.settings.settings import Settings
from baton.store.records.access import AuditEntry, StoredKey
from baton.store.records.app_events import EventRecord
from baton.store.redis import keys
from baton.store.redis.access import ApiKeyStore, AuditLog, RateLimit
from baton.store.redis.agent_memory import RedisModelCache
from baton.store.redis.app_events import AppEvents
from baton.store.redis.connection import RedisConnection
from baton_events.errors import StoreError
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.sample import NOW_MS
from tests.contract.store.side import RETENTION_MS, Side

OLD = StoredKey("a" * 64, "client", "acme", "bk_client_aaaaaa", 'é 😀 " label', 1)
NEW = StoredKey("b" * 64, "admin", "operators", "bk_admin_bbbbbb", "", 2)
KEYS, LOG = "baton:{keys}:api", "baton:{audit}:log"
TEXT = '{"text":"é 😀 \\" : \\n"}'
PER_MINUTE = 6  # a token each 10 s: none comes while a test runs


@pytest.fixture
def known(redis: RedisConnection) -> ApiKeyStore:
    return ApiKeyStore(redis)


@pytest.fixture
def log(redis: RedisConnection) -> AuditLog:
    return AuditLog(redis, 1000)


@pytest.fixture
def cache(redis: RedisConnection) -> ModelCache:
    return RedisModelCache(redis)


def entry(number: int) -> AuditEntry:
    return AuditEntry(number, "abc", 'é 😀 "', "operators", "POST /x", f"/x/{number}", 200, {"body": {"a": [number]}})


async def test_keys_are_found_by_their_digests_and_listed_the_oldest_first(known: ApiKeyStore) -> None:
    assert await known.all() == ()
    for key in (NEW, OLD):
        await known.add(key)
    assert await known.all() == (OLD, NEW)
    assert [await known.find(digest) for digest in (OLD.digest, "c" * 64)] == [OLD, None]


async def test_a_key_knows_its_last_day_until_it_is_revoked(known: ApiKeyStore) -> None:
    """Once; a day noted late, of a key that was revoked meanwhile, makes no key."""
    await known.add(OLD)
    await known.used(OLD.digest, "2026-01-31")
    found = await known.find(OLD.digest)
    assert found is not None
    assert found.used_day == "2026-01-31"
    assert await known.all() == (found,)
    assert [await known.revoke(OLD.digest) for _ in range(2)] == [True, False]
    await known.used(OLD.digest, "2026-02-01")
    assert (await known.find(OLD.digest), await known.all()) == (None, ())


@pytest.mark.bridge
async def test_to_find_a_key_is_one_request_and_one_command(
    connection: RedisConnection, redis_process: RedisProcess
) -> None:
    known = ApiKeyStore(connection)
    await known.add(OLD)
    before = redis_process.counted()
    await known.find(OLD.digest)
    spent = redis_process.counted().since(before)
    assert (spent.requests, spent.commands) == (1, 1)
    assert redis_process.request("KEYS", "*") == [KEYS]


async def test_records_of_a_later_version_are_read(connection: RedisConnection, redis_process: RedisProcess) -> None:
    known = ApiKeyStore(connection)
    await known.add(OLD)
    later = json.loads(redis_process.request("HGET", KEYS, OLD.digest)) | {"scopes": ["jobs"]}
    redis_process.request("HSET", KEYS, OLD.digest, json.dumps(later))
    assert await known.find(OLD.digest) == OLD
    redis_process.request("XADD", LOG, "*", "entry", json.dumps(asdict(entry(1)) | {"source": "somewhere"}))
    [(_, found)] = await AuditLog(connection, 10).page("", 10)
    assert found == entry(1)


async def test_the_log_comes_in_pages_the_newest_first(log: AuditLog) -> None:
    """Each goes on where the last one ended, also when entries came in between."""
    assert await log.page("", 10) == ()
    for number in range(5):
        await log.add(entry(number))
    first = await log.page("", 2)
    await log.add(entry(5))
    second = await log.page(first[-1][0], 10)
    assert [found for _, found in (*first, *second)] == [entry(number) for number in (4, 3, 2, 1, 0)]
    assert await log.page(second[-1][0], 10) == ()


@pytest.mark.bridge
async def test_only_about_the_newest_entries_are_kept_and_each_costs_one_command(
    connection: RedisConnection, redis_process: RedisProcess
) -> None:
    """Redis cuts in blocks, so it keeps a few more."""
    log, before = AuditLog(connection, 100), redis_process.counted()
    for number in range(500):
        await log.add(entry(number))
    spent = redis_process.counted().since(before)
    assert (spent.requests, spent.commands) == (500, 500)
    assert (await log.page("", 1))[0][1] == entry(499)
    assert 100 <= redis_process.request("XLEN", LOG) <= 250


async def test_the_last_text_of_a_tenant_s_key_is_kept_as_it_is(cache: ModelCache) -> None:
    for text in ("old", TEXT):
        await cache.put("acme", "key", text, 60)
    names = (("acme", "key"), ("acme", "other"), ("other", "key"), ("", ""))
    assert [await cache.get(*name) for name in names] == [TEXT, None, None, None]


@pytest.mark.bridge
async def test_redis_forgets_a_text_by_itself_and_is_asked_once_for_each(
    connection: RedisConnection, redis_process: RedisProcess
) -> None:
    """The expiry comes with the text."""
    cache, before = RedisModelCache(connection), redis_process.counted()
    await cache.get("acme", "key")
    await cache.put("acme", "key", TEXT, 60)
    spent = redis_process.counted().since(before)
    assert (spent.requests, spent.commands) == (2, 2)
    [key] = redis_process.request("KEYS", "*")
    assert 55 <= redis_process.request("TTL", key) <= 60


async def test_all_processes_share_one_bucket_for_each_name(connection: RedisConnection) -> None:
    """As many at once as in a minute, then there is a time to wait."""
    one, other = (RateLimit(connection, SystemClock(), PER_MINUTE) for _ in range(2))
    assert [await limit.wait_seconds("a") for limit in (one, other) * 3] == [0] * PER_MINUTE
    assert 0 < await one.wait_seconds("a") <= 10
    assert 0 < await other.wait_seconds("a") <= 10
    assert await one.wait_seconds("b") == 0


@pytest.mark.bridge
async def test_a_token_costs_one_request_and_who_has_to_wait_costs_none(
    connection: RedisConnection, redis_process: RedisProcess
) -> None:
    """Four commands: the script, one read, two writes; the bucket expires."""
    limit, before = RateLimit(connection, SystemClock(), 1), redis_process.counted()
    assert await limit.wait_seconds("a") == 0
    first = redis_process.counted().since(before)
    assert (first.requests, first.commands) == (1, 4)
    assert await limit.wait_seconds("a") > 0
    before = redis_process.counted()
    assert await limit.wait_seconds("a") > 0
    assert redis_process.counted().since(before).requests == 0
    assert redis_process.request("KEYS", "*") == ["baton:rate:a"]
    assert 0 < redis_process.request("TTL", "baton:rate:a") <= 60


async def test_a_store_that_does_not_answer_is_a_store_error() -> None:
    connection = RedisConnection(Settings(redis_url="http://127.0.0.1:9", redis_token="x"))
    with pytest.raises(StoreError):
        await RateLimit(connection, SystemClock(), 1).wait_seconds("a")
    await connection.close()


async def test_a_token_of_the_queue_speaks_for_the_message_that_it_came_with_first(side: Side) -> None:
    for token, message in (("claims", "msg_1"), ("claims", "msg_2"), ("claims", "msg_1"), ("others", "msg_1")):
        assert await side.admission.first_value(f"header.{token}", message) == "msg_1"


async def test_what_is_known_of_a_token_expires(real: Side, redis_process: RedisProcess) -> None:
    """An hour after it came first, far longer than it is valid, whoever asked since."""
    for message_id in ("msg_1", "msg_2"):
        await real.admission.first_value("header.claims", message_id)
    key = keys.first_value_key("header.claims")
    assert 300_000 < redis_process.request("PTTL", key) <= FIRST_VALUE_KEPT_MS


KEPT_MS = 60_000

DAY_MS = 86_400_000


@pytest.fixture
def records(redis: RedisConnection) -> AppEvents:
    return AppEvents(redis, RETENTION_MS, KEPT_MS)


async def test_the_first_event_stays_and_handlers_are_added(records: AppEvents) -> None:
    assert await records.find("evt_1") is None
    assert await records.add("evt_1", "first", ("b",)) == EventRecord("first", ("b",), new=True)
    assert await records.add("evt_1", "second", ("a", "b")) == EventRecord("first", ("a", "b"))
    assert await records.add("evt_2", "other") == EventRecord("other", new=True)
    assert await records.find("evt_1") == EventRecord("first", ("a", "b"))


async def test_the_first_note_of_a_name_stays(records: AppEvents) -> None:
    """Also where the event itself was forgotten: then there is no record of it."""
    assert [await records.note("evt_1", "dead:a:1", f"msg_{n}") for n in (1, 2)] == ["msg_1", "msg_1"]
    assert await records.find("evt_1") is None
    assert await records.find("evt_1", noted=True) == EventRecord("", (), {"dead:a:1": "msg_1"})
    await records.add("evt_1", "first")
    assert await records.note("evt_1", "misfit", "why") == "why"
    assert await records.find("evt_1") == EventRecord("first", (), {"dead:a:1": "msg_1", "misfit": "why"})


async def test_who_waits_is_found_until_its_time_is_over_or_it_has_met(records: AppEvents) -> None:
    for name, number, after_ms in (("a", 1, 1_000), ("a", 2, 5_000), ("b", 3, 5_000)):
        assert await records.wait(name, f"call-{number}", NOW_MS + after_ms, NOW_MS) == ""
    assert await records.waiting("a", NOW_MS + 1_000, 9) == ("call-1", "call-2")
    assert await records.waiting("a", NOW_MS + 1_001, 9) == ("call-2",)
    assert [await records.count_waiting("a", NOW_MS + after_ms) for after_ms in (1_000, 1_001)] == [2, 1]
    await records.met("a", ["call-2", "call-3"])
    assert [await records.waiting(name, NOW_MS, 9) for name in "ab"] == [("call-1",), ("call-3",)]
    await records.met("a", [])


async def test_the_first_event_is_kept_for_who_waits_later(records: AppEvents) -> None:
    """Also where a wait has met it."""
    for event in "12":
        await records.keep("a", event)
    assert [await records.wait("a", f"call-{n}", NOW_MS + 1_000, NOW_MS) for n in range(2)] == ["1", "1"]
    assert await records.wait("b", "call-1", NOW_MS + 1_000, NOW_MS) == ""


async def test_the_highest_number_stays(records: AppEvents) -> None:
    """Whoever asks notes none."""
    assert await records.newest("a") == 0
    number = 1_800_000_000_000_999
    assert [await records.newest("a", n) for n in (number - 1, number, number - 2)] == [number - 1, number, number]
    assert [await records.newest(name) for name in "ab"] == [number, 0]


async def test_the_newest_is_known_of_those_that_came_since_a_moment(records: AppEvents) -> None:
    """Of many that come in order, few are kept; an older one that comes later takes no newer one away."""
    assert await records.newest_since("a", 0) == 0
    for number in range(1, 61):
        await records.came("a", number, NOW_MS + number)
    for number, after_ms in ((100, 61), (99, 62), (99, 62)):
        await records.came("a", number, NOW_MS + after_ms)
    assert [await records.newest_since("a", NOW_MS + at) for at in (0, 61, 62, 63)] == [100, 100, 99, 0]
    assert await records.newest_since("b", 0) == 0
    assert await records._redis.execute("ZCARD", keys.app_event_came_key("a")) < 30


async def test_a_list_only_grows(records: AppEvents) -> None:
    """Whoever adds to it, or only reads it, is told all of it."""
    assert await records.append("a", ()) == ()
    assert await records.append("a", ("1", "2")) == ("1", "2")
    assert [await records.append(name, ("1",)) for name in "ab"] == [("1", "2", "1"), ("1",)]
    assert await records.append("a", ()) == ("1", "2", "1")


async def test_a_record_expires_with_what_is_noted_last(connection: RedisConnection) -> None:
    """But not before the longest wait of a batch is over."""
    records = AppEvents(connection, RETENTION_MS, KEPT_MS)
    await records.note("evt_1", "misfit", "why")
    await records.add("evt_2", "event")
    await records.append("a", ("1",))
    for key in (keys.app_event_key("evt_1"), keys.app_event_key("evt_2"), keys.app_event_list_key("a")):
        assert 7 * DAY_MS < await connection.execute("PTTL", key) <= 8 * DAY_MS
    await records.keep("a", "1")
    assert 0 < await connection.execute("PTTL", keys.app_event_kept_key("a")) <= KEPT_MS
    for until_ms in (9_000, 90_000, 5_000):
        await records.wait("a", f"call-{until_ms}", NOW_MS + until_ms, NOW_MS)
    assert 90_000 < await connection.execute("PTTL", keys.app_event_waits_key("a")) <= 90_000 + 60_000
