"""What a follower costs while its job only waits, how soon it learns that the job goes on, and how many may follow."""

import asyncio
from dataclasses import replace
from itertools import pairwise
from typing import Any, cast

import httpx
import pytest

from baton.server.api.stream import StreamReader
from baton.server.api.stream_token import TOKEN_SECONDS
from baton.worker.commands.audience import Audience
from baton.worker.entry import UNTIL_MS
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import ACME, KEY, OTHER, Api, api_of, assert_problem, digest, store_keys
from tests.unit.baton.server.api.following import (
    HOUR_SECONDS,
    Counting,
    Follower,
    seconds,
    stream_on_lambda,
    virtual_time,
    waiting_job,
    waiting_stage,
)

IDLE_SECONDS_A_COMMAND = 15


async def job_of(api: Api, *, waits: bool) -> str:
    """A job that waits, or one that gets no slot."""
    job_id: str = await waiting_job(api) if waits else (await api.submitted(jobType="works"))["id"]
    return job_id


@pytest.mark.parametrize("waits", [True, False])
@virtual_time
async def test_a_follower_costs_a_command_in_fifteen_seconds_at_most(waits: bool) -> None:
    """Whether it follows for ten minutes or for an hour; it cost two a second."""
    async with api_of(waiting_stage()) as api:
        reader = api.stage.reader
        assert isinstance(reader, Counting)
        Follower(api.stage, await job_of(api, waits=waits))
        await asyncio.sleep(60)
        for following in (600, HOUR_SECONDS):
            reader.commands = 0
            await asyncio.sleep(following)
            assert reader.commands <= following / IDLE_SECONDS_A_COMMAND


@virtual_time
async def test_heartbeats_come_every_ten_seconds_however_seldom_the_store_is_asked() -> None:
    """Proxies cut connections that say nothing, most of them after 60 s, some after 30."""
    async with api_of(waiting_stage()) as api:
        follower = Follower(api.stage, await waiting_job(api))
        await asyncio.sleep(600)
        beats = [at for at, text in follower.received if text == ": heartbeat\n\n"]
        assert 59 <= len(beats) <= 60
        assert max(later - earlier for earlier, later in pairwise(beats)) <= 10.1


@pytest.mark.parametrize(
    ("here", "waits", "waited_seconds", "most_seconds"),
    [
        *[(True, True, waited_seconds, 0.1) for waited_seconds in (1, 20, HOUR_SECONDS)],
        *[(False, True, 3, 2), (False, True, 30, 12), (False, True, HOUR_SECONDS, 24)],
        *[(False, False, 2, 0.25), (False, False, 6, 0.65)],
    ],
)
@virtual_time
async def test_a_follower_learns_that_its_job_goes_on(
    here: bool, waits: bool, waited_seconds: int, most_seconds: float
) -> None:
    """At once in this process: what it is delivered for a job wakes its followers.

    What another process does is seen the later the longer nothing came, never later than after 24 s; of a job that is
    new within a tenth of its time.
    """
    async with api_of(waiting_stage()) as api:
        follower = Follower(api.stage, await job_of(api, waits=waits))
        await asyncio.sleep(waited_seconds)
        before = len(follower.parts)
        elsewhere = Stage(settings=api.stage.container.settings, store=api.stage.store, queue=api.stage.queue)
        elsewhere.container.ports = api.stage.ports
        async with api_of(api.stage if here else elsewhere) as other:
            began_at = seconds()
            await other.request("PATCH", f"/api/agent-jobs/{follower.job_id}", json={"action": "cancel"})
        await follower.task
        assert seconds() - began_at <= most_seconds
        assert len(follower.parts) > before
        assert follower.received[-1][1] == "data: [DONE]\n\n"


@virtual_time
async def test_where_time_costs_a_job_that_only_waits_is_not_held() -> None:
    async with api_of(waiting_stage(stream_silence_seconds=120)) as api:
        first = Follower(api.stage, await waiting_job(api))
        await first.task
        last_id = first.parts[-1].partition("\n")[0].removeprefix("id: ")
        again, began_at = replace(first, headers={**first.headers, "last-event-id": last_id}, received=[]), seconds()
        await again.task
        assert [text.partition(":")[0] for _, text in (first.received[-1], *again.received)] == ["retry", "retry"]
        assert seconds() - began_at < 0.1


@virtual_time
async def test_where_time_costs_a_short_pause_is_held() -> None:
    """The next attempt comes within seconds, and a page goes on with its answer."""
    async with api_of(waiting_stage(stream_silence_seconds=120)) as api:
        job_id = (await api.submitted(jobType="stumbles"))["id"]
        await api.stage.run(within_seconds=1)
        assert (await api.read(job_id))["status"] == "waiting"
        follower = Follower(api.stage, job_id)
        await asyncio.sleep(8)
        assert not follower.task.done()


@virtual_time
async def test_where_time_costs_a_silent_stream_ends() -> None:
    """Perhaps its reader has gone; nobody says so on Lambda. A job at work is held until then."""
    async with api_of(waiting_stage(stream_silence_seconds=20)) as api:
        job_id = (await api.submitted(jobType="works"))["id"]
        working = asyncio.create_task(api.stage.run(within_seconds=30))
        await asyncio.sleep(1)
        follower, began_at = Follower(api.stage, job_id), seconds()
        await follower.task
        assert 20 <= seconds() - began_at < 22
        assert follower.received[-1][1].startswith("retry: ")
        working.cancel()


@virtual_time
async def test_a_stream_ends_before_its_hosts_time_is_up() -> None:
    async with api_of(waiting_stage()) as api:
        scope = {"aws.event": {}, UNTIL_MS: api.stage.clock.now_ms()}
        follower = Follower(api.stage, await waiting_job(api), scope=scope)
        await follower.task
        assert [text.partition(":")[0] for _, text in follower.received] == ["id"] * len(follower.parts) + ["retry"]


async def test_on_lambda_nothing_is_held_and_the_way_back_gets_longer_while_the_job_waits() -> None:
    """From half a second to half a minute."""
    async with api_of(waiting_stage()) as api:
        job_id = await waiting_job(api)
        last = (await stream_on_lambda(api, job_id, "0-0")).text.rpartition("id: ")[2].partition("\n")[0]
        found: list[int] = []
        for passed in (0, 10, 60, HOUR_SECONDS):
            api.stage.clock.ms += passed * 1000
            began_at = seconds()
            found.append(_retry_ms(await stream_on_lambda(api, job_id, last)))
            assert seconds() - began_at < 0.5
        assert found == sorted(found)
        assert (found[0] <= 1_000, found[-1]) == (True, 30_000)
        at_work = (await api.submitted(jobType="waits"))["id"]
        assert _retry_ms(await stream_on_lambda(api, at_work, "0-0")) == 500
        api.stage.clock.ms += 2_000
        assert _retry_ms(await stream_on_lambda(api, at_work, "0-1")) <= 1_000


def _retry_ms(answer: httpx.Response) -> int:
    word, ms = answer.text.split("\n\n")[0].split(": ")
    assert word == "retry"
    return int(ms)


@virtual_time
async def test_followers_of_one_key_are_limited_and_those_of_another_are_not() -> None:
    async with api_of(waiting_stage(followers_per_key=2)) as api:
        job_id = await waiting_job(api)
        two = [Follower(api.stage, job_id) for _ in range(2)]
        await asyncio.sleep(1)
        refused = await api.request("GET", f"/api/agent-jobs/{job_id}/stream")
        assert "follows 2 jobs here already" in assert_problem(refused, 429)
        assert int(refused.headers["retry-after"]) >= 1
        assert_problem(await api.request("GET", f"/api/agent-jobs/{job_id}/stream", OTHER), 403)
        two[0].task.cancel()
        await asyncio.sleep(1)
        third = Follower(api.stage, job_id)
        await asyncio.sleep(1)
        assert third.parts


@virtual_time
async def test_an_open_stream_ends_with_its_token() -> None:
    async with api_of(waiting_stage()) as api:
        job_id = await waiting_job(api)
        made = (await api.request("POST", "/api/stream-tokens", json={"jobId": job_id})).json()["token"]
        follower = Follower(api.stage, job_id, {}, f"token={made}")
        await asyncio.sleep(120)
        assert not follower.task.done()
        api.stage.clock.ms += TOKEN_SECONDS * 1000
        await asyncio.sleep(2)
        assert follower.task.done()
        assert "[DONE]" not in follower.received[-1][1]


@virtual_time
async def test_an_open_stream_ends_within_a_minute_and_a_half_after_its_key_was_revoked() -> None:
    """A key that stays good costs it nothing but a look at the table of keys."""
    async with api_of(waiting_stage()) as api:
        await store_keys(api.stage)
        follower = Follower(api.stage, await waiting_job(api), {"authorization": f"Bearer {KEY}"})
        for _ in range(300):  # the stage's clock goes with the loop's time
            await asyncio.sleep(1)
            api.stage.clock.ms += 1000
        assert not follower.task.done()
        assert api.stage.api_key_store.connection.sent.count("HMGET") <= 2 + 300 / 60
        await api.stage.api_key_store.revoke(digest(KEY))
        for _ in range(90):
            await asyncio.sleep(1)
            api.stage.clock.ms += 1000
        assert follower.task.done()


async def test_head_of_a_stream_reports_its_headers_and_follows_nothing() -> None:
    """It followed the job, for as long as that took."""
    async with api_of(waiting_stage()) as api:
        path, key = f"/api/agent-jobs/{await waiting_job(api)}/stream", {"authorization": f"Bearer {ACME}"}
        answer = await asyncio.wait_for(api.http.head(path, headers=key), 5)
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-type"].startswith("text/event-stream")


class _Lasting:
    """A permit that does not end."""

    key_id, audience = "", Audience(is_operator=True)

    async def lasts(self) -> bool:
        return True


@virtual_time
async def test_a_reader_that_sends_no_heartbeats_reads_on_as_one_that_does() -> None:
    """A WebSocket is told nothing of a silence. It was held by one of ten seconds for ever, and took a whole core."""
    async with api_of(waiting_stage()) as api:
        job_id, permit, looks = await waiting_job(api), cast("Any", _Lasting()), 0
        first = await api.stage.reader.parts(job_id, 0)
        reader = StreamReader(api.stage.container, permit, job_id, len(first.parts))
        stored, began_at = replace(first, parts=()), seconds()
        with reader.reading():
            while not stored.parts and looks < 500:
                stored, looks = await reader.next(stored), looks + 1
                if 600 <= seconds() - began_at < 610:
                    await api.request("PATCH", f"/api/agent-jobs/{job_id}", json={"action": "cancel"})
        assert stored.job is not None
        assert stored.job.ended
        assert 600 <= seconds() - began_at < 625
