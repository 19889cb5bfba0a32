"""`GET /api/agent-jobs`: filters, pages, whose jobs they are, and what a page costs."""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from baton.engine.all_jobs.ends import end_of
from baton.engine.all_jobs.job_list import Query, Row, cursor_of, position_of
from baton.engine.all_jobs.slots import QueueEntry
from baton.engine.decide import submit
from baton.engine.state import Job
from baton.engine.step_results import Submitted
from baton.engine.transitions import JobStatus
from baton.server.api.jobs.listing import YOUNG_MS, JobList, JobPage
from baton.store.records.jobs import Snapshot
from baton.store.redis.admission import AdmissionControl
from baton.store.redis.listing import Listing
from tests.fakes.stored import FakeAdmission, FakeConnection, FakeReader, FakeRedis, FakeStore
from tests.unit.baton.server.api.client import ACME, ADMIN, OTHER, Api, assert_problem

NOW_MS = 1_800_000_000_000


class CountingReader(FakeReader):
    def __init__(self, redis: FakeRedis) -> None:
        super().__init__(redis)
        self.read: list[int] = []

    async def jobs(self, job_ids: Sequence[str]) -> dict[str, Snapshot]:
        self.read.append(len(job_ids))
        return await super().jobs(job_ids)


class Kit:
    def __init__(self) -> None:
        redis = FakeRedis()
        connection = FakeConnection(redis)
        self.store, self.admission = FakeStore(redis), FakeAdmission(redis, slots=1)
        self.reader, self.listing = CountingReader(redis), Listing(connection)
        self.list = JobList(self.listing, AdmissionControl(connection, 1, 60_000), self.reader)

    async def add(self, number: int, agent: str = "usual", *, listed_as: str = "") -> str:
        """A job; `listed_as`: of which agent its row says that it is."""
        job = Job(f"job_{number}", "s", "t", agent, NOW_MS + number)
        changes = submit(Submitted(job, {"text": "", "data": {}}), NOW_MS).changes
        assert changes is not None
        await self.store.create(changes, "m", NOW_MS)
        await self.listing.add(Row(job.id, job.created_at_ms, "t", f"s{number}", listed_as or agent))
        entry = QueueEntry("t", f"s{number}", 5, job.created_at_ms, 1, "slot", agent=listed_as or agent)
        await self.admission.slot_request(job.id, entry, NOW_MS)
        return job.id

    async def end(self, job_id: str, status: JobStatus) -> None:
        tree = self.store.tree(job_id)
        job = replace(tree.jobs[job_id], status=status, finished_at_ms=NOW_MS)
        self.store.write(job_id, replace(tree, jobs={job_id: job}))
        await self.listing.add(Row(job_id, job.created_at_ms, "t", job.session_id, job.agent, end_of(job).status))
        entry = QueueEntry("t", job.session_id, 5, job.created_at_ms, 2, "gone", agent=job.agent)
        await self.admission.slot_request(job_id, entry, NOW_MS, end=end_of(job))

    async def page(self, query: Query, limit: int = 20, cursor: str = "") -> tuple[list[str], str]:
        page = await self.list.page(query, limit, cursor, NOW_MS)
        return [one.job.id for one in page.jobs], page.cursor


async def test_only_jobs_that_may_be_meant_are_read() -> None:
    """Their rows tell the agent, which is checked with the job: two agents may share a mark."""
    kit = Kit()
    rare = await kit.add(0, "rare")
    for number in range(1, 40):
        await kit.add(number)
    assert await kit.page(Query(agent="rare")) == ([rare], "")
    assert kit.reader.read == [1]
    await kit.add(40, "other", listed_as="rare")
    assert await kit.page(Query(agent="rare")) == ([rare], "")


async def test_a_page_reads_a_bounded_number_of_jobs_and_goes_on_later() -> None:
    """Where rows say nothing of what is asked for, it may be empty and have a cursor."""
    kit = Kit()
    for number in range(700):
        await kit.add(number)
    some = frozenset({JobStatus.FAILED, JobStatus.PROCESSING})
    found, cursor = await kit.page(Query(statuses=some))
    pages = 1
    while cursor:
        most = sum(kit.reader.read)
        assert most <= 300 + 21
        kit.reader.read.clear()
        more, cursor = await kit.page(Query(statuses=some), cursor=cursor)
        found, pages = found + more, pages + 1
    assert (found, pages > 1) == ([], True)


async def test_several_ends_are_one_list_in_one_order() -> None:
    kit = Kit()
    ends = [JobStatus.FAILED, *[JobStatus.CANCELLED] * 5, JobStatus.FAILED, JobStatus.COMPLETED, JobStatus.FAILED]
    for number, status in enumerate(ends):
        await kit.end(await kit.add(number), status)
    requested = Query(statuses=frozenset({JobStatus.FAILED, JobStatus.CANCELLED}))
    meant = [f"job_{number}" for number, status in enumerate(ends) if status in requested.statuses][::-1]
    for limit in (1, 2, 3, 20):
        found, cursor = await kit.page(requested, limit)
        while cursor:
            more, cursor = await kit.page(requested, limit, cursor)
            found += more
        assert found == meant


async def test_a_page_reads_one_job_more_than_it_shows() -> None:
    """To know whether there is another page."""
    kit = Kit()
    for number in range(10):
        await kit.add(number)
    found, cursor = await kit.page(Query(), 4)
    assert (found, kit.reader.read) == ([f"job_{number}" for number in (9, 8, 7, 6)], [5])
    assert (await kit.page(Query(), 10, cursor))[0] == [f"job_{number}" for number in range(5, -1, -1)]


async def test_who_waits_in_line_is_not_read_where_those_at_work_are_requested() -> None:
    """The slot table tells who has begun."""
    kit = Kit()
    first = await kit.add(0)
    for number in range(1, 30):
        await kit.add(number)
    tree = kit.store.tree(first)
    item = next(item for item in tree.items.values() if item.kind == "loop")
    claimed = replace(item, owner="o", lease_until_ms=NOW_MS + 60_000)
    kit.store.write(first, replace(tree, items={**tree.items, claimed.key: claimed}))
    assert await kit.page(Query(statuses=frozenset({"processing"}))) == ([first], "")
    assert kit.reader.read == [1]


async def test_a_retried_job_in_line_is_one_that_waits() -> None:
    """It has begun, though not since it was retried."""
    kit = Kit()
    await kit.add(0)
    again = await kit.add(1)
    await kit.end(again, JobStatus.FAILED)
    tree = kit.store.tree(again)
    retried = replace(tree.jobs[again], status=JobStatus.PROCESSING, finished_at_ms=None, run=2)
    kit.store.write(again, replace(tree, jobs={again: retried}))
    entry = QueueEntry("t", "s1", 5, retried.created_at_ms, 3, "slot", agent=retried.agent)
    await kit.admission.slot_request(again, entry, NOW_MS)
    assert await kit.page(Query(statuses=frozenset({"waiting"}))) == ([again], "")


async def listed(api: Api, query: str = "", key: str = ACME) -> dict[str, Any]:
    response = await api.request("GET", f"/api/agent-jobs{query}", key)
    assert response.status_code == 200, response.text
    page: dict[str, Any] = response.json()
    return page


async def ids(api: Api, query: str = "", key: str = ACME) -> list[str]:
    page = await listed(api, query, key)
    assert "cursor" not in page
    return [job["id"] for job in page["jobs"]]


async def submitted(api: Api, count: int = 1, key: str = ACME, **fields: Any) -> list[str]:
    """Jobs, a second apart; their ids, the newest first."""
    made: list[str] = []
    for _ in range(count):
        api.stage.clock.ms += 1_000
        made.append((await api.submitted(key, **fields))["id"])
    return made[::-1]


async def test_a_list_has_the_tenants_jobs_newest_first(api: Api) -> None:
    """Each as it is read by itself, but for what only that shows; an admin's has every tenant's."""
    mine, others = await submitted(api, 3), await submitted(api, 2, OTHER)
    await api.stage.run()
    page = await listed(api)
    assert [job["id"] for job in page["jobs"]] == mine
    whole = await api.read(mine[0])
    alone = ("toolCalls", "memory", "cost", "agentVersion", "scores")
    assert page["jobs"][0] == {name: whole[name] for name in whole if name not in alone} | {"tenant": "acme"}
    assert await ids(api, key=ADMIN) == others + mine
    assert await ids(api, "?tenant=other", ADMIN) == others
    assert await ids(api, "?tenant=acme") == mine
    assert_problem(await api.request("GET", "/api/agent-jobs?tenant=other"), 403)
    assert await ids(api, f"?parentJobId={mine[0]}") == []
    assert_problem(await api.request("GET", f"/api/agent-jobs?parentJobId={mine[0]}", OTHER), 403)
    assert_problem(await api.request("GET", "/api/agent-jobs?parentJobId=job_none"), 404)
    shared = await submitted(api, 1, OTHER, sessionId="shared") + await submitted(api, 1, sessionId="shared")
    assert await ids(api, "?sessionId=shared") == shared[1:]
    assert await ids(api, "?sessionId=shared", ADMIN) == shared[::-1]


async def test_live_jobs_come_page_by_page_too(api: Api) -> None:
    jobs = await submitted(api, 5, delaySeconds=600)
    first = await listed(api, "?status=pending&limit=3")
    second = await listed(api, f"?status=pending&limit=3&cursor={first['cursor']}")
    assert [job["id"] for job in first["jobs"] + second["jobs"]] == jobs
    assert "cursor" not in second


async def test_a_job_that_is_gone_is_left_out_and_its_rows_go(api: Api) -> None:
    """Not while it is young: its backup message may still create it."""
    kept, gone = await submitted(api, 2)
    del api.stage.store.trees[gone]
    rows = len(api.stage.redis.rows())
    assert await ids(api) == [kept]
    assert len(api.stage.redis.rows()) == rows
    api.stage.clock.ms += YOUNG_MS + 2_000
    for _ in range(2):
        assert await ids(api) == [kept]
        assert len(api.stage.redis.rows()) == rows // 2


def test_a_page_says_down_to_when_it_has_looked() -> None:
    assert JobPage(()).looked_back_to_ms == 0
    assert JobPage((), cursor_of(position_of(NOW_MS, "job_1"))).looked_back_to_ms == NOW_MS
