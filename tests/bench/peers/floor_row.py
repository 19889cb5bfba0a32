"""The bare hop: the least that a pipeline of webhooks can do, of the libraries that Baton uses (`plain`) or fast ones.

python -m tests.bench.peers.floor_row --mode hop|inline --stack plain|fast [--crash | --long CALLS | ...]
"""

import json
from typing import ClassVar

from tests.bench.peers.bare_http import BareClient
from tests.bench.peers.command import options, run
from tests.bench.peers.done_list import DoneList
from tests.bench.peers.peer import LOOPBACK, Peer, free_port, python, wait_for_port
from tests.bench.peers.servers import start_redis

STACKS = {  # uvicorn's loop and parser, the client
    "plain": ("asyncio", "h11", "httpx"),
    "fast": ("uvloop", "httptools", "aiohttp"),
}
PAD = "p" * 1500  # a message is about as large as an agent's


class Floor(Peer):
    mode: ClassVar[str] = "hop"
    stack: ClassVar[str] = "plain"
    crash_note = "its queue delivers again until there is an answer"

    async def setup(self) -> None:
        self._url = start_redis(self)
        self._done = DoneList(self._url)
        self.closing.append(self._done.close)
        self._queue_port, self._port = free_port(), free_port()
        self.spawn("queue", python("-m", "tests.bench.peers.floor_queue", str(self._queue_port), str(self._port)))
        wait_for_port(self._queue_port)
        self._client = BareClient(LOOPBACK, self._queue_port)

    async def start_worker(self) -> None:
        loop, parser, client = STACKS[self.stack]
        server = ["--port", str(self._port), "--loop", loop, "--http", parser, "--no-access-log"]
        variables = {"BENCH_REDIS": self._url, "FLOOR_QUEUE": str(self._queue_port), "FLOOR_CLIENT": client}
        command = python("-m", "uvicorn", *server, "--log-level", "error", "tests.bench.peers.floor_app:app")
        self.spawn("worker", command, variables=variables)
        wait_for_port(self._port)

    async def submit(self, variant: str, job: str) -> None:
        event = {"job": job, "variant": variant, "kind": "model", "n": 0, "call": None, "ts": list[int](), "pad": PAD}
        await self._client.post(f"/publish/{self.mode}".encode(), json.dumps(event).encode())

    async def result(self, job: str) -> list[int]:
        return await self._done.of_job(job)


if __name__ == "__main__":
    parser = options(__doc__)
    parser.add_argument("--mode", choices=("hop", "inline"), default="hop")
    parser.add_argument("--stack", choices=tuple(STACKS), default="plain")
    chosen = parser.parse_args()
    Floor.mode, Floor.stack, Floor.name = chosen.mode, chosen.stack, f"floor-{chosen.mode}-{chosen.stack}"
    run(Floor, chosen)
