"""Waits for jobs whose last step pushes `job|times` onto the Redis list `done`."""

import asyncio
import json
from typing import cast

import redis.asyncio as redis


class DoneList:
    def __init__(self, url: str) -> None:
        self._redis = redis.from_url(url, socket_timeout=None)  # a time limit would end the pop that waits
        self._jobs: dict[str, asyncio.Future[list[int]]] = {}
        self._task = asyncio.create_task(self._take())

    async def _take(self) -> None:
        while True:
            got = await self._redis.blmpop(1, 1, "done", direction="LEFT", count=100)
            for raw in cast("list[bytes]", got[1]) if got else ():
                job, _, times = raw.decode().partition("|")
                self._future(job).set_result(json.loads(times))

    def _future(self, job: str) -> "asyncio.Future[list[int]]":
        return self._jobs.setdefault(job, asyncio.get_running_loop().create_future())

    async def of_job(self, job: str) -> list[int]:
        times = await self._future(job)
        del self._jobs[job]
        return times

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._redis.aclose()
