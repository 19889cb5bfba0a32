"""The log of what operators did: the fake and Redis keep and list the same."""

import json
from collections.abc import AsyncIterator
from dataclasses import asdict

import pytest

from baton.storage.ports.access import AuditEntry, AuditLog
from baton.storage.redis.access import RedisAuditLog
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.side import connection_to
from tests.fakes.audit_log import FakeAuditLog


def entry(number: int) -> AuditEntry:
    """Something somebody did."""
    return AuditEntry(number, "abc", 'é 😀 "', "operators", "POST /x", f"/x/{number}", 200, {"body": {"a": [number]}})


@pytest.fixture(params=["fake", "rest", pytest.param("resp", marks=pytest.mark.long)])
async def log(request: pytest.FixtureRequest) -> AsyncIterator[AuditLog]:
    """Each side in turn, empty."""
    if request.param == "fake":
        yield FakeAuditLog()
        return
    server: RedisProcess = request.getfixturevalue("redis_server")
    process = server.over(request.param)
    process.request("FLUSHALL")
    connection = connection_to(process)
    try:
        yield RedisAuditLog(connection, 1000)
    finally:
        await connection.close()


async def test_entries_are_listed_the_newest_first(log: AuditLog) -> None:
    """As they were added; none at first."""
    assert await log.page("", 10) == ()
    for number in range(5):
        await log.add(entry(number))
    assert [found for _, found in await log.page("", 3)] == [entry(4), entry(3), entry(2)]


async def test_the_next_page_goes_on_where_the_last_one_ended(log: AuditLog) -> None:
    """Also when entries came in between."""
    for number in range(5):
        await log.add(entry(number))
    first = await log.page("", 2)
    await log.add(entry(5))
    second = await log.page(first[-1][0], 10)
    assert [found.at_ms for _, found in (*first, *second)] == [4, 3, 2, 1, 0]
    assert await log.page(second[-1][0], 10) == ()


@pytest.mark.bridge
async def test_only_about_the_newest_are_kept_and_each_costs_one_command(redis_process: RedisProcess) -> None:
    """Redis cuts in blocks, so it keeps a few more."""
    redis_process.request("FLUSHALL")
    connection = connection_to(redis_process)
    try:
        log = RedisAuditLog(connection, 100)
        before = redis_process.counted()
        for number in range(500):
            await log.add(entry(number))
        spent = redis_process.counted().since(before)
        newest = await log.page("", 1)
    finally:
        await connection.close()
    assert (spent.requests, spent.commands) == (500, 500)
    assert 100 <= redis_process.request("XLEN", "baton:{audit}:log") <= 250
    assert newest[0][1] == entry(499)


async def test_an_entry_of_a_later_version_is_read(redis_process: RedisProcess) -> None:
    """Old and new code run at once while a deployment changes."""
    redis_process.request("FLUSHALL")
    connection = connection_to(redis_process)
    try:
        text = json.dumps(asdict(entry(1)) | {"source": "somewhere"})
        redis_process.request("XADD", "baton:{audit}:log", "*", "entry", text)
        [(_, found)] = await RedisAuditLog(connection, 10).page("", 10)
        assert found == entry(1)
    finally:
        await connection.close()
