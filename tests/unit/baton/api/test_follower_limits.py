"""How many may follow with one key, and how long: as long as what they came with is good."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from baton.api.stream_token import TOKEN_SECONDS
from tests.unit.baton.api.client import ACME, KEY, OTHER, api_of, assert_problem, digest, store_keys
from tests.unit.baton.api.following import Follower, ended, virtual_time, waiting_job, waiting_stage
from tests.unit.baton.kit.stage import Stage


@virtual_time
async def test_followers_of_one_key_are_limited_and_those_of_another_are_not() -> None:
    async with api_of(waiting_stage(followers_per_key=2)) as api:
        job_id, mine = await waiting_job(api), {"authorization": f"Bearer {ACME}"}
        tasks = [asyncio.create_task(Follower(api.stage, job_id, mine).run()) for _ in range(2)]
        await asyncio.sleep(1)
        refused = await api.request("GET", f"/api/agent-jobs/{job_id}/stream")
        assert "FOLLOWERS_PER_KEY" in assert_problem(refused, 429)
        assert int(refused.headers["retry-after"]) >= 1
        assert_problem(await api.request("GET", f"/api/agent-jobs/{job_id}/stream", OTHER), 403)
        await ended(tasks.pop())
        third = Follower(api.stage, job_id, mine)
        tasks.append(asyncio.create_task(third.run()))
        await asyncio.sleep(1)
        assert third.parts
        await asyncio.gather(*map(ended, tasks))


@virtual_time
async def test_an_open_stream_ends_with_its_token() -> None:
    async with api_of(waiting_stage()) as api:
        job_id = await waiting_job(api)
        made = (await api.request("POST", "/api/stream-tokens", json={"jobId": job_id})).json()["token"]
        follower = Follower(api.stage, job_id, {}, f"token={made}")
        task = asyncio.create_task(follower.run())
        await asyncio.sleep(120)
        assert follower.ended_at is None
        api.stage.clock.ms += TOKEN_SECONDS * 1000
        await asyncio.sleep(2)
        assert follower.ended_at is not None
        assert "[DONE]" not in follower.received[-1][1]
        await ended(task)


@virtual_time
async def test_an_open_stream_ends_within_a_minute_and_a_half_after_its_key_was_revoked() -> None:
    """A key that stays good costs it nothing but a look in the slot table of keys."""
    async with api_of(waiting_stage()) as api:
        await store_keys(api.stage)
        follower = Follower(api.stage, await waiting_job(api), {"authorization": f"Bearer {KEY}"})
        task = asyncio.create_task(_with_clock(api.stage, follower.run()))
        await asyncio.sleep(300)
        assert follower.ended_at is None
        checks, at = api.stage.api_key_store.checks, asyncio.get_running_loop().time()
        assert checks <= 2 + 300 / 60
        await api.stage.api_key_store.revoke(digest(KEY))
        await asyncio.sleep(95)
        assert follower.ended_at is not None
        assert follower.ended_at - at <= 90
        await ended(task)


async def _with_clock(stage: Stage, work: Coroutine[Any, Any, None]) -> None:
    async def tick() -> None:
        while True:
            await asyncio.sleep(1)
            stage.clock.ms += 1000

    ticking = asyncio.create_task(tick())
    try:
        await work
    finally:
        ticking.cancel()


async def test_head_of_a_stream_reports_its_headers_and_follows_nothing() -> None:
    """It followed the job, for as long as that took."""
    async with api_of(waiting_stage()) as api:
        path, key = f"/api/agent-jobs/{await waiting_job(api)}/stream", {"authorization": f"Bearer {ACME}"}
        answer = await asyncio.wait_for(api.http.head(path, headers=key), 5)
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-type"].startswith("text/event-stream")
