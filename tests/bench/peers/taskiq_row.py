"""taskiq: two workers over Redis streams. python -m tests.bench.peers.taskiq_row [--crash | --long CALLS | ...]."""

import asyncio
import json

import redis.asyncio as redis

from tests.bench.peers import work
from tests.bench.peers.command import options, run
from tests.bench.peers.done_list import DoneList
from tests.bench.peers.environment import set_for_children
from tests.bench.peers.peer import Peer, python
from tests.bench.peers.servers import start_redis

START_SECONDS = 2.0
NUDGES = 60


class Taskiq(Peer):
    name = "taskiq"
    crash_note = (
        "entries are claimed after idle_timeout, lowered to 10 s (default 600 s), with a claim lock of 5 s"
        " (default none); it claims only after new messages, so one unrelated message is sent a second"
    )

    async def setup(self) -> None:
        url = start_redis(self)
        set_for_children({"BENCH_REDIS": url, "BENCH_IDLE_SECONDS": "10" if self.crashing else "600"})
        from tests.bench.peers import taskiq_tasks  # noqa: PLC0415 - it reads the address when it is imported

        self._tasks = taskiq_tasks
        self._done, self._db = DoneList(url), redis.from_url(url)
        self.closing.append(self._done.close)
        await taskiq_tasks.broker.startup()

    async def start_worker(self) -> None:
        worker = ("worker", "tests.bench.peers.taskiq_tasks:broker", "--workers", "2", "--log-level", "ERROR")
        self.spawn("worker", python("-m", "taskiq", *worker))
        await asyncio.sleep(START_SECONDS)

    async def submit(self, variant: str, job: str) -> None:
        await self._db.rpush(f"job:{job}", *map(json.dumps, work.start()))
        await self._tasks.model.kiq(job, variant)

    async def nudge(self) -> None:
        for _ in range(NUDGES):
            await asyncio.sleep(1)
            await self._tasks.ping.kiq()

    async def result(self, job: str) -> list[int]:
        return await self._done.of_job(job)


if __name__ == "__main__":
    run(Taskiq, options(__doc__).parse_args())
