"""The list of jobs over many keys: none has all jobs, all pages are there, and pruning leaves nothing behind.

A list that takes no row harms nobody: jobs are submitted, run and end, and no slot is lost.
"""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from baton.engine.all_jobs.job_list import Query, Row, members
from baton.engine.all_jobs.shelves import SHELF_MS, place_of, shelves_of
from baton.engine.all_jobs.slots import Want
from baton.engine.effects import LIST_GAPS
from baton.engine.transitions import JobStatus
from baton.store.redis import keys, listing
from baton.worker.recovery.maintenance import Pruning
from tests.contract.store.real_stage import RealStage
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.sample import NOW_MS, slot_request
from tests.contract.store.side import Side
from tests.fakes.clock import FakeClock
from tests.unit.baton.kit.stage import Stage

STEP_MS, JOBS = 200_000, 240  # on 80 shelves, more than one look reads
TENANTS = 3
PER_SHELF = SHELF_MS // STEP_MS


def row(number: int) -> Row:
    tenant = f"tenant_{number % TENANTS}"
    status = "failed" if number % 10 == 0 else "completed"
    return Row(f"job_{number:04d}", NOW_MS + number * STEP_MS, tenant, f"session_{number % 7}", "agent", status)


async def lives(side: Side, number: int) -> None:
    await side.listing.add(replace(row(number), status=""))
    await side.listing.add(row(number))


async def told(side: Side, row: Row) -> None:
    """As a job's slot request tells of it."""
    want: Want = "gone" if row.status else "slot"
    await slot_request(side, row.job_id, want, 2 if row.status else 1, shelves=shelves_of(row))
    await side.listing.add(row, catalogued=True)


async def pages(side: Side, query: Query, limit: int) -> list[str]:
    found: list[str] = []
    position, checks = "", 0
    while not checks or position:
        scanned = await side.listing.scan(query, position, limit)
        assert not scanned.next or not position or scanned.next < position
        found += [one.job_id for one in scanned.found]
        position, checks = scanned.next, checks + 1
    return found


def sizes(process: RedisProcess) -> dict[str, int]:
    """How many members each key of the list has."""
    return {name: process.request("ZCARD", name) for name in process.request("KEYS", "baton:list:*")}


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


@pytest.mark.parametrize("lost", [keys.SLOT_ORDER, "baton:list:t:*", "baton:list:all:*", "*"])
@pytest.mark.parametrize("status", ["completed", "failed"])
async def test_a_job_that_ends_is_found_whatever_of_the_list_a_failover_has_lost(
    real: Side, redis_process: RedisProcess, status: str, lost: str
) -> None:
    ended = replace(row(1), status=status, text="a needle")
    await told(real, replace(ended, status=""))
    redis_process.request("DEL", *redis_process.request("KEYS", lost))
    await told(real, ended)
    of_session = Query(tenant="tenant_1", session_id="session_1")
    for query in (Query(), Query(tenant="tenant_1"), Query(statuses=frozenset({status})), of_session):
        assert await pages(real, query, 7) == ["job_0001"]
    for query in (Query(words=("needle",)), Query(tenant="tenant_1", words=("needle",))):
        assert [one.job_id for one in (await real.listing.search_texts(query, "", 7)).found] == ["job_0001"]


@pytest.mark.parametrize("limit", [7, 200])
async def test_every_job_is_on_its_page_and_no_key_has_them_all(
    real: Side, redis_process: RedisProcess, limit: int
) -> None:
    """Newest first, none doubled."""
    for number in range(JOBS):
        await lives(real, number)
    for query, means in QUERIES:
        expected = [f"job_{number:04d}" for number in reversed(range(JOBS)) if means(number)]
        assert await pages(real, query, limit) == expected
    found = sizes(redis_process)
    shelves = {name: size for name, size in found.items() if name.rpartition(":")[2].isdigit()}
    assert max(shelves.values()) <= 2 * PER_SHELF  # a row of the list, and one of the ended ones
    assert len(shelves) > JOBS // PER_SHELF
    # Entries of all and of each tenant with jobs in ten minutes, one for each end but the usual; texts of each tenant.
    assert redis_process.request("ZCARD", keys.SLOT_ORDER) <= (2 + 3 * TENANTS) * (JOBS // PER_SHELF + 1)


async def test_pruning_leaves_nothing_of_jobs_that_are_gone(real: Side, redis_process: RedisProcess) -> None:
    """However many there are: nothing is left for another hour, and no empty shelf in a catalogue."""
    for number in range(JOBS):
        await lives(real, number)
    await real.listing.add(Row("job_0001.c1", NOW_MS + STEP_MS, "tenant_1", "session_1", "agent"))
    clock = FakeClock()
    clock.ms = NOW_MS + 2 * JOBS * STEP_MS
    pruning = Pruning(real.listing, real.reader, Stage().container.emitter, clock, STEP_MS)
    assert await pruning.prune() == JOBS
    assert redis_process.request("KEYS", "baton:*") == []


async def test_a_session_keeps_its_newest_jobs(
    real: Side, redis_process: RedisProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "SESSION_ROWS", 40)
    for number in range(JOBS):
        await real.listing.add(Row(f"job_{number:04d}", NOW_MS + number, "t", "s", "agent"))
    (size,) = [size for name, size in sizes(redis_process).items() if name.startswith("baton:list:s:")]
    assert 40 <= size < 40 + JOBS // 2
    newest = (await real.listing.scan(Query(tenant="t", session_id="s"), "", 3)).found
    assert [one.job_id for one in newest] == ["job_0239", "job_0238", "job_0237"]


async def test_jobs_run_and_no_slot_leaks_while_the_list_takes_no_row(
    real: Side, redis_process: RedisProcess, caplog: pytest.LogCaptureFixture
) -> None:
    stage = RealStage(real, 2, continuation="inline")
    row = Row("job_0", stage.clock.now_ms(), "acme", "session-job_0", "in-a-row")
    broken = {keys.list_key(place_of(member).key) for member in members(row)}
    for key in broken:
        redis_process.request("SET", key, "takes no row")
    for number in range(5):  # more than there are slots
        await stage.play("in-a-row", f"job_{number}")
        assert (await stage.ports.reader.jobs([f"job_{number}"]))[f"job_{number}"].job.status is JobStatus.COMPLETED
    assert (await real.admission_control.state()).active == 0
    assert (await real.counters.sums())[LIST_GAPS] >= 5
    assert "job_4 is missing from a list of jobs" in caplog.text
    redis_process.request("DEL", *broken)
    await stage.play("in-a-row", "job_9")
    assert [one.job_id for one in (await real.listing.scan(Query(), "", 10)).found] == ["job_9"]


async def test_a_search_reads_what_its_tenant_has(real: Side, redis_process: RedisProcess) -> None:
    """Not what others have stored, who may have a million jobs: no key of theirs is scanned."""
    for number in range(50):
        await real.listing.add(replace(row(number), status="", tenant="large", text=f"a needle and {number}"))
    await real.listing.add(replace(row(50), status="", tenant="small", text="a needle"))
    before = scanned(redis_process)
    found = await real.listing.search_texts(Query(tenant="small", words=("needle",)), "", 20)
    assert [one.job_id for one in found.found] == [row(50).job_id]
    assert scanned(redis_process) - before == 1


def scanned(redis_process: RedisProcess) -> int:
    """How many sorted sets were scanned so far."""
    found = re.search(r"cmdstat_zscan:calls=(\d+)", str(redis_process.request("INFO", "commandstats")))
    return int(found[1]) if found else 0
