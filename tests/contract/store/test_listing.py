"""The list of jobs: what is written of a job, and how it is looked at."""

from typing import Any

import pytest
from msgspec.structs import replace

from baton.engine.all_jobs.ends import End
from baton.engine.all_jobs.job_list import Query, Row
from baton.engine.all_jobs.job_texts import words_of
from baton.engine.all_jobs.shelves import shelves_of
from baton.store.records.all_jobs import Scanned
from tests.contract.store.sample import NOW_MS, slot_request
from tests.contract.store.side import Side

LIMIT = 100
DONE = End("completed", 1_000, 0, 10, 5, 100)


async def listed(side: Side, job_id: str, *, end: str = "", tags: str = "", **place: str) -> None:
    number = int("".join(letter for letter in job_id if letter.isdigit()) or 0)
    tenant, session, agent = (place.get(name, default) for name, default in DEFAULTS.items())
    await side.listing.add(Row(job_id, NOW_MS + number, tenant, session, agent, end, tuple(tags.split())))


DEFAULTS = {"tenant": "t", "session": "s", "agent": "a"}


async def names(side: Side, query: Query, before: str = "", limit: int = LIMIT) -> list[str]:
    return [one.job_id for one in (await side.listing.scan(query, before, limit)).found]


async def test_jobs_are_listed_newest_first_from_their_first_update_on(side: Side) -> None:
    """Each once, however often it speaks."""
    assert (await side.listing.scan(Query(), "", LIMIT), await side.listing.counts([Query()])) == (Scanned(), [{}])
    for job_id in ("j2", "j1", "j3", "j1"):
        await listed(side, job_id)
    scanned = await side.listing.scan(Query(), "", LIMIT)
    assert [(one.job_id, one.created_ms - NOW_MS) for one in scanned.found] == [("j3", 3), ("j2", 2), ("j1", 1)]
    assert scanned.next == ""
    for after_ms, count in ((0, 3), (NOW_MS + 2, 2)):
        (counts,) = await side.listing.counts([Query(after_ms=after_ms)])
        assert (sum(counts.values()), {NOW_MS // 600_000 * 600_000} == counts.keys()) == (count, True)


async def test_pages_go_on_where_the_one_before_ended_while_jobs_are_added(side: Side) -> None:
    ids = ["a1", "b1", "c1", "d1", "e1"]
    for job_id in ids:
        await listed(side, job_id)
    seen: list[str] = []
    position = ""
    for number in range(3):
        scanned = await side.listing.scan(Query(), position, 2)
        seen += [one.job_id for one in scanned.found]
        position = scanned.next
        await listed(side, f"new{number + 2}")
    assert seen == sorted(ids, reverse=True)
    assert position == ""


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query(tenant="t"), "j6 j4 j3 j2 j1"),
        (Query(tenant="u"), "j5"),
        (Query(tenant="none"), ""),
        (Query(tenant="t", session_id="s"), "j6 j4 j2 j1"),
        (Query(session_id="s"), "j6 j5 j4 j2 j1"),
        (Query(agent="b"), "j4"),
        (Query(tenant="t", agent="b"), "j4"),
        (Query(statuses=frozenset({"failed"})), "j6 j5"),
        (Query(tenant="t", statuses=frozenset({"failed"})), "j6"),
        (Query(tenant="t", statuses=frozenset({"completed"})), "j2"),
        (Query(after_ms=NOW_MS + 2, before_ms=NOW_MS + 4), "j3 j2"),
        (Query(tags=("x",)), "j6 j5"),
        (Query(tags=("x", "y")), "j5"),
        (Query(tenant="t", tags=("x",)), "j6"),
        (Query(tags=("x",), agent="b"), ""),
        (Query(parent_id="j1"), "j1.c8 j1.c7"),
        (Query(parent_id="j1.c7"), "j1.c7.d9"),
        (Query(parent_id="j"), ""),
        (Query(tenant="te:n/a", session_id="sess: 漢\n", agent="a:b"), "j0"),
    ],
    ids=str,
)
async def test_each_filter_finds_its_jobs(side: Side, query: Query, expected: str) -> None:
    await listed(side, "j0", tenant="te:n/a", session="sess: 漢\n", agent="a:b")
    await listed(side, "j1")
    await listed(side, "j2", end="completed")
    await listed(side, "j3", session="other")
    await listed(side, "j4", agent="b")
    await listed(side, "j5", tenant="u", end="failed", tags="y x")
    await listed(side, "j6", end="failed", tags="x")
    for child in ("j1.c7", "j1.c8", "j1.c7.d9"):
        await listed(side, child)
    assert await names(side, query) == expected.split()


async def test_a_rare_job_is_found_by_going_on(side: Side) -> None:
    """A look is at so many rows at most: it may find nothing, and says where to go on."""
    await listed(side, "j1", agent="rare")
    for number in range(2, 7):
        await listed(side, f"j{number}")
    query, position, checks = Query(agent="rare"), "", list[int]()
    while not checks or position:
        scanned = await side.listing.scan(query, position, 2)
        checks.append(len(scanned.found))
        position = scanned.next
    assert checks == [0, 0, 1, 0]


async def test_a_forgotten_job_is_in_no_list_until_it_speaks_again(side: Side) -> None:
    await listed(side, "j1", end="failed", tags="x y")
    await listed(side, "j2", end="failed", tags="x y")
    await listed(side, "j1.c3")
    queries = [
        Query(),
        Query(tags=("y",)),
        Query(tenant="t", tags=("x",)),
        Query(tenant="t"),
        Query(tenant="t", session_id="s"),
        Query(statuses=frozenset({"failed"})),
    ]
    queries.append(Query(tenant="t", statuses=frozenset({"failed"})))
    gone = [one for one in (await side.listing.scan(queries[0], "", LIMIT)).found if one.job_id == "j1"]
    children = (await side.listing.scan(Query(parent_id="j1"), "", LIMIT)).found
    for _ in range(2):
        await side.listing.forget([*gone, *children])
    await side.listing.forget([])
    assert [await names(side, query) for query in queries] == [["j2"]] * len(queries)
    assert await names(side, Query(parent_id="j1")) == []
    await listed(side, "j1", end="failed", tags="x y")
    assert [await names(side, query) for query in queries] == [["j2", "j1"]] * len(queries)


async def searched(side: Side, text: str, **query: Any) -> list[str]:
    wanted, position, found = Query(words=words_of(text), **query), "", list[str]()
    while True:
        scanned = await side.listing.search_texts(wanted, position, 2)
        found += [one.job_id for one in scanned.found]
        position = scanned.next
        if not position:
            return found


async def test_a_slot_request_names_the_shelves_of_its_rows_again_and_again(side: Side) -> None:
    """Also one that changes nothing: a failover may have lost what the one before it wrote."""
    row = Row("job_1", NOW_MS, "t", "s", "a", "failed", text="a needle")
    for epoch in (1, 1):
        await slot_request(side, row.job_id, "slot", epoch, shelves=shelves_of(row))
        await side.listing.add(row, catalogued=True)
        for query in (Query(), Query(tenant="t"), Query(statuses=frozenset({"failed"}))):
            assert await names(side, query) == ["job_1"]
        assert (await searched(side, "needle"), await searched(side, "needle", tenant="t")) == (["job_1"], ["job_1"])
        found = (await side.listing.scan(Query(), "", LIMIT)).found
        await side.listing.forget(found)
        assert await side.listing.scan(Query(), "", LIMIT) == Scanned()


async def test_a_search_finds_texts_of_tasks_and_ends(side: Side) -> None:
    """By any part of a word, in whatever case; signs of patterns mean themselves; an end replaces the run's before."""
    shelves_ms = (0, 1, 2 * 600_000, 40 * 600_000)
    for number, at_ms in enumerate(shelves_ms):
        row = Row(f"j{number}", NOW_MS + at_ms, "tu"[number % 2], "s", "a", text=f"task {number} is 100%*[done]")
        await side.listing.add(row)
        text = "timeout of the élan" if number else "no route: x:1:2"
        await side.listing.add(replace(row, status="failed", text=text))
    assert await searched(side, "TASK") == ["j3", "j2", "j1", "j0"]
    assert await searched(side, "ÉLAN") == ["j3", "j2", "j1"]
    assert await searched(side, "0%*[d") == ["j3", "j2", "j1", "j0"]
    assert await searched(side, "tas?") == []
    assert await searched(side, "x:1:2") == ["j0"]
    assert await searched(side, "task", tenant="t") == ["j2", "j0"]
    assert await searched(side, "task", statuses=frozenset({"failed"}), before_ms=NOW_MS + 1) == ["j0"]
    assert await searched(side, "task", after_ms=NOW_MS + 1, agent="b") == []
    newest = Row("j3", NOW_MS + shelves_ms[3], "u", "s", "a", "failed", text="of another run", run=2)
    await side.listing.add(newest)
    assert (await searched(side, "élan"), await searched(side, "another")) == (["j2", "j1"], ["j3"])
    assert await names(side, Query()) == ["j3", "j2", "j1", "j0"]
    await side.listing.forget(
        [one for one in (await side.listing.scan(Query(), "", LIMIT)).found if one.job_id != "j0"]
    )
    assert await searched(side, "task") == ["j0"]


async def test_a_search_pages_over_the_texts_of_many_tenants_at_one_time(side: Side) -> None:
    """Each text is found once, whoever has jobs in the same ten minutes; a tenant finds its own."""
    for number in range(30):
        row = Row(f"j{number:02d}", NOW_MS + number % 3, f"t{number % 10}", "s", "a", text="needle")
        await side.listing.add(row)
    found = await searched(side, "needle")
    assert sorted(found) == [f"j{number:02d}" for number in range(30)]
    assert sorted(await searched(side, "needle", tenant="t7")) == ["j07", "j17", "j27"]


async def test_the_rows_of_jobs_below_go_with_their_parents(side: Side) -> None:
    for job_id in ("j1", "j1.c2", "j1.c2.d3", "j12", "j12.c4", "j12.c4.d5"):
        await listed(side, job_id)
    roots = (await side.listing.scan(Query(), "", LIMIT)).found
    await side.listing.forget([one for one in roots if one.job_id == "j1"])
    below = [await names(side, Query(parent_id=parent)) for parent in ("j1", "j1.c2", "j12", "j12.c4")]
    assert below == [[], [], ["j12.c4"], ["j12.c4.d5"]]
    assert await names(side, Query()) == ["j12"]


async def test_old_jobs_come_page_by_page_from_the_oldest_on(side: Side) -> None:
    assert await side.listing.old("", NOW_MS + 9, 2) == Scanned()
    for number in range(1, 8):
        await listed(side, f"j{number}")
    position, seen = "", list[list[str]]()
    while not seen or position:
        scanned = await side.listing.old(position, NOW_MS + 6, 2)
        seen.append([one.job_id for one in scanned.found])
        position = scanned.next
    assert seen == [["j1", "j2"], ["j3", "j4"], ["j5"]]
