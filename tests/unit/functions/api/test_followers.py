"""What a follower costs while its job only waits, how soon it learns that the job goes on, and how long it may stay."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import httpx
import pytest

from baton import Agent, Call, Pending, Registry, ScriptedModel, tool
from events.ports import Snapshot, StoredParts
from functions.api.stream_token import TOKEN_SECONDS
from functions.app import build_app
from tests.fakes import FakeReader
from tests.simulation import asgi
from tests.simulation.virtual_loop import VirtualLoop
from tests.unit.functions.api.client import ACME, OTHER, Api, api_of, assert_problem, with_keys
from tests.unit.functions.api.stored_keys import KEY, digest, store_keys
from tests.unit.functions.stage import Stage

HOUR_SECONDS = 3_600
IDLE_SECONDS_A_COMMAND = 15


class Counting(FakeReader):
    """Counts what a look costs in the store, as Upstash does."""

    commands = 0

    async def parts(self, job_id: str, after: int) -> StoredParts:
        """Two."""
        self.commands += 2
        return await super().parts(job_id, after)

    async def parts_after(self, job_id: str, after: int) -> tuple[str, ...]:
        """One."""
        self.commands += 1
        return await super().parts_after(job_id, after)

    async def jobs(self, job_ids: Sequence[str]) -> dict[str, Snapshot]:
        """Two for each, and one."""
        self.commands += 2 * len(job_ids) + 1
        return await super().jobs(job_ids)

    async def job(self, job_id: str) -> Snapshot | None:
        """Five."""
        self.commands += 5
        return await super().job(job_id)


@tool(retries=0)
async def order() -> Pending:
    """Order something that comes later."""
    return Pending(timeout_seconds=30 * 86_400)


def waiting_stage(**settings: Any) -> Stage:
    """A stage whose job waits for an outcome from outside."""
    agent = Agent(name="waits", model=ScriptedModel([[Call("order")], "done"]), tools=[order])
    keyed = replace(with_keys(), redis_token="of the store", **settings)
    stage = Stage(settings=keyed, registry=Registry([agent]))
    counting = Counting(stage.store, stage.admission)
    stage.reader = counting
    stage.ports = replace(stage.ports, reader=counting)
    stage.container.ports = stage.ports
    return stage


async def waiting_job(api: Api) -> str:
    """The id of a job that waits."""
    job_id: str = (await api.submitted(jobType="waits"))["id"]
    await api.stage.run(within_seconds=30)
    assert (await api.read(job_id))["status"] == "waiting"
    return job_id


@dataclass
class Follower:
    """Reads one stream in a task of its own. `heard`: (when, what) of each piece."""

    stage: Stage
    job_id: str
    headers: Mapping[str, str] = field(default_factory=lambda: {"authorization": f"Bearer {ACME}"})
    query: str = ""
    heard: list[tuple[float, str]] = field(default_factory=list[tuple[float, str]])
    status: int = 0
    ended_at: float | None = None

    async def run(self) -> None:
        """Until the answer's end."""
        app, loop = build_app(self.stage.container), asyncio.get_running_loop()

        async def with_query(scope: Any, receive: Any, send: Any) -> None:
            await app({**scope, "query_string": self.query.encode()}, receive, send)

        def hear(text: str) -> bool:
            self.heard.append((loop.time(), text))
            return True

        self.status = await asgi.follow(with_query, f"/api/agent-jobs/{self.job_id}/stream", self.headers, hear)
        self.ended_at = loop.time()

    @property
    def parts(self) -> list[str]:
        """Events only."""
        return [text for _, text in self.heard if text.startswith("id: ")]


async def on_lambda(api: Api, job_id: str, last_id: str) -> httpx.Response:
    """One answer of the app behind a host that hands it over whole: Mangum puts Lambda's event into the scope."""
    app = build_app(api.stage.container)

    async def behind(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "aws.event": {}}, receive, send)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(behind), base_url="http://test") as client:
        headers = {"authorization": f"Bearer {ACME}", "last-event-id": last_id}
        return await client.get(f"/api/agent-jobs/{job_id}/stream", headers=headers)


def in_virtual_time(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a scenario in a loop that sleeps in no time."""
    with closing(VirtualLoop()) as loop:
        task = loop.create_task(scenario())
        task.add_done_callback(lambda _: loop.stop())  # a follower that is left over would go on for ever
        loop.run_until_idle()
        loop.clear()
        task.result()


def test_a_follower_of_a_waiting_job_costs_a_command_in_fifteen_seconds_at_most() -> None:
    """Whether it follows for ten minutes or for an hour; it cost two a second."""

    async def scenario() -> None:
        async with api_of(waiting_stage()) as api:
            reader = api.stage.reader
            assert isinstance(reader, Counting)
            follower = Follower(api.stage, await waiting_job(api))
            task = asyncio.create_task(follower.run())
            await asyncio.sleep(5)
            for seconds in (600, HOUR_SECONDS):
                reader.commands = 0
                await asyncio.sleep(seconds)
                assert reader.commands <= seconds / IDLE_SECONDS_A_COMMAND
            await _ended(task)

    in_virtual_time(scenario)


def test_heartbeats_come_every_fifteen_seconds_however_seldom_the_store_is_asked() -> None:
    """Proxies cut connections that say nothing, most of them after 60 s, some after 30."""

    async def scenario() -> None:
        async with api_of(waiting_stage()) as api:
            follower = Follower(api.stage, await waiting_job(api))
            task = asyncio.create_task(follower.run())
            await asyncio.sleep(600)
            await _ended(task)
            beats = [at for at, text in follower.heard if text == ": heartbeat\n\n"]
            gaps = [later - earlier for earlier, later in pairwise(beats)]
            assert 39 <= len(beats) <= 40
            assert max(gaps) <= 15.1

    in_virtual_time(scenario)


@pytest.mark.parametrize("waited_seconds", [1, 20, HOUR_SECONDS])
def test_a_follower_learns_at_once_that_its_job_goes_on_in_this_process(waited_seconds: int) -> None:
    """However long it has waited: what this process is delivered for the job wakes its followers."""

    async def scenario() -> None:
        async with api_of(waiting_stage(operations_api_key="ops")) as api:
            follower = Follower(api.stage, await waiting_job(api))
            task = asyncio.create_task(follower.run())
            await asyncio.sleep(waited_seconds)
            before, began_at = len(follower.parts), asyncio.get_running_loop().time()
            await api.ask("PATCH", f"/api/agent-jobs/{follower.job_id}", json={"action": "cancel"})
            await task
            assert len(follower.parts) > before
            assert follower.heard[-1][1] == "data: [DONE]\n\n"
            assert follower.ended_at is not None
            assert follower.ended_at - began_at <= 0.1

    in_virtual_time(scenario)


@pytest.mark.parametrize(("waited_seconds", "most_seconds"), [(3, 2), (30, 12), (HOUR_SECONDS, 24)])
def test_a_job_that_goes_on_in_another_process_is_seen_within_a_bound(waited_seconds: int, most_seconds: int) -> None:
    """The longer nothing came, the later; never later than 24 s."""

    async def scenario() -> None:
        async with api_of(waiting_stage()) as api:
            follower = Follower(api.stage, await waiting_job(api))
            task = asyncio.create_task(follower.run())
            await asyncio.sleep(waited_seconds)
            elsewhere = _another_process(api.stage)
            async with api_of(elsewhere) as other:
                await other.ask("PATCH", f"/api/agent-jobs/{follower.job_id}", json={"action": "cancel"})
            began_at = asyncio.get_running_loop().time()
            await task
            assert follower.ended_at is not None
            assert follower.ended_at - began_at <= most_seconds

    in_virtual_time(scenario)


def _another_process(stage: Stage) -> Stage:
    other = Stage(settings=stage.container.settings, store=stage.store, queue=stage.queue)
    other.ports = replace(stage.ports)
    other.container.ports = other.ports
    return other


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def waiting() -> AsyncIterator[Api]:
    """The API of a stage with an agent that waits."""
    async with api_of(waiting_stage()) as made:
        yield made


async def test_on_lambda_nothing_is_held_and_the_way_back_gets_longer_while_the_job_waits(waiting: Api) -> None:
    """From half a second to half a minute; what a follower holds is nobody else's."""
    job_id, loop = await waiting_job(waiting), asyncio.get_running_loop()
    last = (await on_lambda(waiting, job_id, "0-0")).text.rpartition("id: ")[2].partition("\n")[0]
    told: list[int] = []
    for seconds in (0, 10, 60, HOUR_SECONDS):
        waiting.stage.clock.ms += seconds * 1000
        began_at = loop.time()
        answer = await on_lambda(waiting, job_id, last)
        assert loop.time() - began_at < 0.5
        told.append(_retry_ms(answer))
    assert told == sorted(told)
    assert told[0] <= 1_000
    assert told[-1] == 30_000


async def test_on_lambda_who_follows_a_job_at_work_comes_back_soon(waiting: Api) -> None:
    """Nothing is held for it either: its next parts are asked for within some seconds."""
    job_id = (await waiting.submitted(jobType="waits"))["id"]
    first = await on_lambda(waiting, job_id, "0-0")
    assert _retry_ms(first) == 500
    waiting.stage.clock.ms += 2_000
    assert _retry_ms(await on_lambda(waiting, job_id, "0-1")) <= 1_000


def _retry_ms(answer: httpx.Response) -> int:
    word, ms = answer.text.split("\n\n")[0].split(": ")
    assert word == "retry"
    return int(ms)


def test_followers_of_one_key_are_limited_and_those_of_another_are_not() -> None:
    """The one too many is told when to come back; who goes away makes room."""

    async def scenario() -> None:
        async with api_of(waiting_stage(followers_per_key=2)) as api:
            job_id, mine = await waiting_job(api), {"authorization": f"Bearer {ACME}"}
            tasks = [asyncio.create_task(Follower(api.stage, job_id, mine).run()) for _ in range(2)]
            await asyncio.sleep(1)
            refused = await api.ask("GET", f"/api/agent-jobs/{job_id}/stream")
            assert "FOLLOWERS_PER_KEY" in assert_problem(refused, 429)
            assert int(refused.headers["retry-after"]) >= 1
            assert_problem(await api.ask("GET", f"/api/agent-jobs/{job_id}/stream", OTHER), 403)
            await _ended(tasks.pop())
            third = Follower(api.stage, job_id, mine)
            tasks.append(asyncio.create_task(third.run()))
            await asyncio.sleep(1)
            assert third.parts
            await asyncio.gather(*map(_ended, tasks))

    in_virtual_time(scenario)


def test_an_open_stream_ends_with_its_token() -> None:
    """Without the job's end: its reader needs another token."""

    async def scenario() -> None:
        async with api_of(waiting_stage()) as api:
            job_id = await waiting_job(api)
            made = (await api.ask("POST", "/api/stream-tokens", json={"jobId": job_id})).json()["token"]
            follower = Follower(api.stage, job_id, {}, f"token={made}")
            task = asyncio.create_task(follower.run())
            await asyncio.sleep(120)
            assert follower.ended_at is None
            api.stage.clock.ms += TOKEN_SECONDS * 1000
            await asyncio.sleep(2)
            assert follower.ended_at is not None
            assert "[DONE]" not in follower.heard[-1][1]
            await _ended(task)

    in_virtual_time(scenario)


def test_an_open_stream_ends_within_a_minute_and_a_half_after_its_key_was_revoked() -> None:
    """A key that stays good costs it nothing but a look in the book of keys."""

    async def scenario() -> None:
        async with api_of(waiting_stage()) as api:
            await store_keys(api.stage)
            follower = Follower(api.stage, await waiting_job(api), {"authorization": f"Bearer {KEY}"})
            task = asyncio.create_task(_with_clock(api.stage, follower.run()))
            await asyncio.sleep(300)
            assert follower.ended_at is None
            looks, at = api.stage.key_book.looks, asyncio.get_running_loop().time()
            assert looks <= 2 + 300 / 60
            await api.stage.key_book.revoke(digest(KEY))
            await asyncio.sleep(95)
            assert follower.ended_at is not None
            assert follower.ended_at - at <= 90
            await _ended(task)

    in_virtual_time(scenario)


async def _with_clock(stage: Stage, work: Coroutine[Any, Any, None]) -> None:
    """The stage's clock goes with the loop's time meanwhile."""

    async def tick() -> None:
        while True:
            await asyncio.sleep(1)
            stage.clock.ms += 1000

    ticking = asyncio.create_task(tick())
    try:
        await work
    finally:
        ticking.cancel()


async def test_head_of_a_stream_tells_its_headers_and_follows_nothing(waiting: Api) -> None:
    """It followed the job, for as long as that took."""
    job_id = await waiting_job(waiting)
    answer = await asyncio.wait_for(waiting.http.head(f"/api/agent-jobs/{job_id}/stream", headers=_key()), 5)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")


def _key() -> dict[str, str]:
    return {"authorization": f"Bearer {ACME}"}
