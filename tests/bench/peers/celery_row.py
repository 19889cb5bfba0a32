"""Celery: two processes over Redis, late acknowledgements. python -m tests.bench.peers.celery_row [--crash | ...]."""

import json

import redis.asyncio as redis

from tests.bench.peers import work
from tests.bench.peers.command import options, run
from tests.bench.peers.done_list import DoneList
from tests.bench.peers.environment import set_for_children
from tests.bench.peers.peer import Peer, python
from tests.bench.peers.servers import start_redis

QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "error")


class Celery(Peer):
    name = "celery"
    crash_seconds = 150.0
    crash_note = "visibility timeout of its Redis transport lowered to 10 s (default 3600 s), looked at each 100 s"

    async def setup(self) -> None:
        url = start_redis(self)
        set_for_children({"BENCH_REDIS": url, "BENCH_IDLE_SECONDS": "10" if self.crashing else "3600"})
        from tests.bench.peers import celery_tasks  # noqa: PLC0415 - it reads the address when it is imported

        self._model = celery_tasks.model
        self._done, self._db = DoneList(url), redis.from_url(url)
        self.closing.append(self._done.close)

    async def start_worker(self) -> None:
        self.spawn(
            "worker", python("-m", "celery", "-A", "tests.bench.peers.celery_tasks", "worker", "-c", "2", *QUIET)
        )

    async def submit(self, variant: str, job: str) -> None:
        await self._db.rpush(f"job:{job}", *map(json.dumps, work.start()))
        self._model.delay(job, variant)

    async def result(self, job: str) -> list[int]:
        return await self._done.of_job(job)


if __name__ == "__main__":
    run(Celery, options(__doc__).parse_args())
