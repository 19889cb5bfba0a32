"""What others have at once costs a tenant's requests nothing: waiting calls, rows, streams, big messages."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from baton.engine.all_jobs.job_list import Query, Row
from baton.engine.all_jobs.job_texts import with_texts
from baton.engine.all_jobs.shelves import entries_of, place_of, place_of_texts
from baton.store.redis import keys
from baton.store.redis.app_events import AppEvents
from tests.contract.store.redis_process import Counted, RedisProcess
from tests.contract.store.sample import NOW_MS
from tests.contract.store.side import connection_to
from tests.contract.store_cluster.raw_client import RawClient
from tests.contract.store_scale.conftest import adapters
from tests.contract.store_scale.test_scale import JOB_ID, life_of_a_job

Command = tuple[str | int, ...]
WAITING_CALLS, ROWS, STREAMS, SESSIONS = 10_000, 60_000, 10_000, 1_000
DAYS_MS, BIG_CHARS = 10 * 86_400_000, 20_000
TENANT = "tenant_a"  # of the job that runs beside them
AT_MOST = 2


def of_others() -> Iterator[Command]:
    waits = keys.app_event_waits_key("others")
    yield from (("ZADD", waits, NOW_MS + 10**9, f"call_{number:06}") for number in range(WAITING_CALLS))
    for number in range(ROWS):
        created_ms = NOW_MS - number * DAYS_MS // ROWS
        rows = with_texts(
            Row(f"job_{number:06}", created_ms, "others", f"s{number % 1_000}", "agent_a", "", text="big")
        )
        places = [(member, place_of(member)) for member in rows]
        yield from (("ZADD", keys.list_key(place.key), 0, member) for member, place in places)
        shelves = entries_of((*(place for _, place in places), place_of_texts(rows[0])))
        yield from (("ZADD", keys.SLOT_ORDER, 0, f"{keys.SLOT_SHELVES}{each}") for each in shelves)
    for number in range(STREAMS):
        yield ("XADD", keys.parts_key(f"job_{number:06}"), "*", "p", "x" * 100)
    for number in range(SESSIONS):
        yield ("HSET", keys.calls_key(f"job_{number:06}"), f"{keys.ENTRY}0", "x" * BIG_CHARS)


async def costs(server: RedisProcess) -> dict[str, Counted]:
    """What each request of the one tenant costs: each step of a job, its lists, a search, an event."""
    found = {f"{number} {name}": cost for number, (name, cost, _) in enumerate((await life_of_a_job(server)).steps)}
    async with adapters(server) as (side, _):
        session = f"session-{JOB_ID}"
        for query in (Query(tenant=TENANT), Query(tenant=TENANT, session_id=session), Query(tenant=TENANT, agent="a")):
            before = server.counted()
            assert len((await side.listing.scan(query, "", 50)).found) == (not query.agent)
            found[str(query)] = server.counted().since(before)
        before = server.counted()
        await side.listing.search_texts(Query(tenant=TENANT, words=("big",)), "", 50)
        found["search"] = server.counted().since(before)
    connection, before = connection_to(server), server.counted()
    events = AppEvents(connection, 10**9, 10**9)
    assert await events.wait("mine", "call_1", NOW_MS + 60_000, NOW_MS) == ""
    assert await events.waiting("mine", NOW_MS, 2_000) == ("call_1",)
    found["event"] = server.counted().since(before)
    await connection.close()
    return found


@pytest.mark.long
async def test_no_request_costs_twice_as_much_beside_what_others_have(server: RedisProcess) -> None:
    server.request("FLUSHALL")
    alone = await costs(server)
    server.request("FLUSHALL")
    with closing(RawClient(server.socket_path)) as client:
        batch = list[Command]()
        for command in of_others():
            batch.append(command)
            if len(batch) == 10_000:
                client.write(batch)
                batch.clear()
        client.write(batch)
    beside = await costs(server)
    assert beside.keys() == alone.keys()
    more = {name: (alone[name], cost) for name, cost in beside.items() if _is_more(cost, alone[name])}
    assert more == {}


def _is_more(cost: Counted, alone: Counted) -> bool:
    return any(now > AT_MOST * before for now, before in zip(cost, alone, strict=True))
