"""The list of jobs over many keys: none has all jobs, all pages are there, and pruning leaves nothing behind."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from baton.engine.all_jobs.job_list import Query, Row, members
from baton.engine.all_jobs.shelves import SHELF_MS
from baton.recovery.maintenance import Pruning
from baton.storage.redis import keys, listing
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.sample import NOW_MS
from tests.contract.store.side import Side, connection_to, real_side
from tests.fakes.clock import FakeClock
from tests.unit.baton.kit.stage import Stage

STEP_MS, JOBS = 200_000, 240  # on 80 shelves, more than one look reads
TENANTS = 3
PER_SHELF = SHELF_MS // STEP_MS


@pytest.fixture
async def side(redis_process: RedisProcess) -> AsyncIterator[Side]:
    async with real_side(redis_process) as made:
        yield made


def row(number: int) -> Row:
    tenant = f"tenant_{number % TENANTS}"
    status = "failed" if number % 10 == 0 else "completed"
    return Row(f"job_{number:04d}", NOW_MS + number * STEP_MS, tenant, f"session_{number % 7}", "agent", status)


async def lives(side: Side, number: int) -> None:
    await side.listing.add(replace(row(number), status=""))
    await side.listing.add(row(number))


async def pages(side: Side, query: Query, limit: int) -> list[str]:
    found: list[str] = []
    position, checks = "", 0
    while not checks or position:
        scanned = await side.listing.scan(query, position, limit)
        assert not scanned.next or not position or scanned.next < position
        found += [one.job_id for one in scanned.found]
        position, checks = scanned.next, checks + 1
    return found


async def sizes(process: RedisProcess) -> dict[str, int]:
    names = process.request("KEYS", "baton:list:*")
    connection = connection_to(process)
    try:
        counts = await connection.pipeline(*(["ZCARD", name] for name in names))
    finally:
        await connection.close()
    return dict(zip(names, counts, strict=True))


QUERIES: list[tuple[Query, Callable[[int], bool]]] = [
    (Query(), lambda _number: True),
    (Query(tenant="tenant_1"), lambda number: number % TENANTS == 1),
    (Query(statuses=frozenset({"failed"})), lambda number: number % 10 == 0),
    (
        Query(tenant="tenant_1", statuses=frozenset({"failed"})),
        lambda number: number % 10 == 0 and number % TENANTS == 1,
    ),
    (Query(tenant="tenant_1", session_id="session_3"), lambda number: number % TENANTS == 1 and number % 7 == 3),
    (Query(after_ms=NOW_MS + 100 * STEP_MS, before_ms=NOW_MS + 150 * STEP_MS), lambda number: 100 <= number < 150),
]


@pytest.mark.parametrize("limit", [7, 200])
async def test_every_job_is_on_its_page_and_no_key_has_them_all(
    side: Side, redis_process: RedisProcess, limit: int
) -> None:
    """Newest first, none doubled; a third of them was written by a version before."""
    old = [member for number in range(2, JOBS, 3) for member in members(row(number))]
    redis_process.request("ZADD", keys.ADMISSION_LISTING, *(text for member in old for text in ("0", member)))
    for number in range(JOBS):
        if number % 3 != 2:
            await lives(side, number)
    for query, means in QUERIES:
        expected = [f"job_{number:04d}" for number in reversed(range(JOBS)) if means(number)]
        assert await pages(side, query, limit) == expected
    found = await sizes(redis_process)
    catalogues = {name: size for name, size in found.items() if name.endswith(":all") or name.count(":") == 3}
    shelves = {name: size for name, size in found.items() if name.rpartition(":")[2].isdigit()}
    assert max(shelves.values()) <= 2 * PER_SHELF  # a row of the list, and one of the ended ones
    assert len(shelves) > JOBS // PER_SHELF
    assert max(catalogues.values()) <= 3 * (JOBS // PER_SHELF + 1)


async def test_pruning_leaves_nothing_of_jobs_that_are_gone(side: Side, redis_process: RedisProcess) -> None:
    """However many there are: nothing is left for another hour, and no empty shelf in a catalogue."""
    for number in range(JOBS):
        await lives(side, number)
    await side.listing.add(Row("job_0001.c1", NOW_MS + STEP_MS, "tenant_1", "session_1", "agent"))
    old = [text for member in members(row(JOBS)) for text in ("0", member)]
    redis_process.request("ZADD", keys.ADMISSION_LISTING, *old)
    clock = FakeClock()
    clock.ms = NOW_MS + 2 * JOBS * STEP_MS
    pruning = Pruning(side.listing, side.reader, Stage().container.emitter, clock, STEP_MS)
    assert await pruning.prune() == JOBS + 1
    assert redis_process.request("KEYS", "baton:*") == []


async def test_a_session_keeps_its_newest_jobs(
    side: Side, redis_process: RedisProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "SESSION_ROWS", 40)
    for number in range(JOBS):
        await side.listing.add(Row(f"job_{number:04d}", NOW_MS + number, "t", "s", "agent"))
    (size,) = [size for name, size in (await sizes(redis_process)).items() if name.startswith("baton:list:s:")]
    assert 40 <= size < 40 + JOBS // 2
    newest = (await side.listing.scan(Query(tenant="t", session_id="s"), "", 3)).found
    assert [one.job_id for one in newest] == ["job_0239", "job_0238", "job_0237"]
