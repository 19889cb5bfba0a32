"""Fills a stack with jobs at work and jobs in line, and tells how many there are of each."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp

from baton.sdk.clock import SystemClock
from baton.server.api.jobs.submission import SubmitBody, new_job
from baton.server.api.problem import parsed
from baton.settings.settings import Settings
from baton.worker.container import Container
from baton.worker.wiring import real_ports
from baton_local.redis.valkey import DataDir
from tests.bench.loaded_agents import registry
from tests.bench.peers.job_ends import Wire

AT_ONCE = 48
PATIENCE_SECONDS = 300.0
TENANT = "local"


def submission(agent: str, number: int) -> dict[str, Any]:
    return {"jobType": agent, "taskDescription": f"Look after number {number}.", "inputData": {"number": number}}


class Loaded:
    """A running stack, as its `dev.json` describes it; `folder`: its data."""

    def __init__(self, folder: Path, described: dict[str, Any]) -> None:
        self._socket_path = DataDir(folder / "redis").socket_path
        self._described = described
        self._ids = list[str]()

    async def fill(self, running: int, waiting: int) -> dict[str, Any]:
        """Jobs at work first, since they take the slots; then those in line. Returns how long each took."""
        began = time.monotonic()
        async with aiohttp.ClientSession(self._described["app_url"]) as http:
            await _at_once(running, lambda number: self._post(http, number))
        await self._until_at_work(running)
        between = time.monotonic()
        await self._write_in_line(waiting)
        return {"seconds_to_run": round(between - began, 1), "seconds_to_wait": round(time.monotonic() - between, 1)}

    async def standing(self) -> dict[str, int]:
        """How many jobs hold a slot, wait for one, and are in a call under a claim that has not run out."""
        async with aiohttp.ClientSession(self._described["app_url"]) as http:
            headers = {"Authorization": f"Bearer {self._described['admin_key']}"}
            async with http.get("/api/admin/agent-worker", headers=headers) as answer:
                found = await answer.json()
        return {"running": found["activeJobs"], "waiting": found["pendingJobs"], "claims": await self._claims()}

    async def _post(self, http: aiohttp.ClientSession, number: int) -> None:
        headers = {"Authorization": f"Bearer {self._described['client_key']}"}
        async with http.post("/api/agent-jobs", json=submission("stays", number), headers=headers) as answer:
            if answer.status != 202:
                raise RuntimeError(f"the app answered {answer.status}: {await answer.text()}")
            self._ids.append((await answer.json())["id"])

    async def _until_at_work(self, running: int) -> None:
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while (claims := await self._claims()) < running:
            if time.monotonic() > give_up_at:
                raise TimeoutError(f"{claims} of {running} jobs are at work after {PATIENCE_SECONDS:g} s")
            await asyncio.sleep(1)

    async def _claims(self) -> int:
        """How many of the jobs submitted have a call that somebody has claimed, and prolongs."""
        wire, now_ms = await Wire.to(self._socket_path), SystemClock().now_ms()
        try:
            for job_id in self._ids:
                wire.send("HVALS", f"baton:{{{job_id}}}:state")
            found = [await wire.answer() for _ in self._ids]
        finally:
            wire.close()
        return sum(_has_claim(values, now_ms) for values in found)

    async def _write_in_line(self, waiting: int) -> None:
        described = self._described
        settings = Settings(
            qstash_url=described["qstash_url"],
            qstash_token=described["qstash_token"],
            redis_url=described["redis_url"],
            redis_token=described["redis_token"],
            worker_base_url=described["app_url"],
            max_concurrent_jobs=1,  # they get no slot from here
        )
        ports, clock = real_ports(settings), SystemClock()
        container = Container(settings, ports, registry)

        async def write(number: int) -> None:
            body = parsed(SubmitBody, json.dumps(submission("answers", number)).encode())
            name = f"load{number:08d}"
            ids = {"job_id": f"job_{name}", "session_id": f"session_{name}", "tenant": TENANT}
            job = new_job(body, container, **ids, now_ms=clock.now_ms())
            await container.commands.submit.create(job, body.task, f"msg_{name}")

        try:
            await _at_once(waiting, write)
        finally:
            await container.close()


def _has_claim(values: Any, now_ms: int) -> bool:
    items = [json.loads(value) for value in values if value[:1] == b"{"] if isinstance(values, list) else []
    return any(item.get("owner") and item.get("call_id") and item.get("lease_until_ms", 0) > now_ms for item in items)


async def _at_once(times: int, do: Callable[[int], Awaitable[None]]) -> None:
    numbers = count()

    async def one_after_another() -> None:
        while (number := next(numbers)) < times:
            await do(number)

    await asyncio.gather(*(one_after_another() for _ in range(AT_ONCE)))
