"""Baton: `baton dev` with queue, Redis behind its REST bridge or without it, and the app, each a process of its own.

python -m tests.bench.peers.baton_row --mode queue|inline [--store rest|resp] [--queue redis] [--crash | --long CALLS]
"""

import asyncio
import json
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any, ClassVar

import aiohttp
import psutil

from baton.server.processes import processes_here
from baton_local.cli.dev import MOST_PROCESSES
from baton_local.redis.valkey import DataDir
from tests.bench.peers.command import options, run
from tests.bench.peers.job_ends import JobEnds
from tests.bench.peers.peer import LOOPBACK, Peer, free_port

READY_SECONDS = 180.0
# Many slots, since the jobs of a cell are to run at once; no line of log for each message, as in the other rows.
SETTINGS = {"MAX_CONCURRENT_JOBS": "10000", "LOG_LEVEL": "WARNING"}


def app_ids(described: dict[str, Any]) -> list[int]:
    return [int(pid) for name, pid in described["processes"].items() if name.partition("-")[0] == "app"]


class Baton(Peer):
    mode: ClassVar[str] = "inline"
    store: ClassVar[str] = "rest"
    queue: ClassVar[str] = "qstash"
    crash_note = "the queue delivers again, and a claim of the dead process is over within 12 s"

    async def setup(self) -> None:
        data = self.folder / "data"
        own = {**SETTINGS, "CONTINUATION": self.mode}
        command = [str(Path(sys.executable).with_name("baton")), "dev", "--data", str(data), "--port", "0"]
        command += ["--store", self.store, "--queue", self.queue]
        if self.round_trip_ms:
            port = free_port()
            command += ["--redis-port", str(port)]
            own["BENCH_STORE_URL"] = f"http://{LOOPBACK}:{self.far(port)}"
        self.spawn("stack", [*command, "--app", "tests.bench.peers.agents:registry"], variables=own)
        self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        self.closing.append(self._http.close)
        self.described = await self._ready()
        self._labels = {pid: name.partition("-")[0] for name, pid in self.described["processes"].items()}
        self._ends = await JobEnds.of(DataDir(data / "redis").socket_path)
        self.closing.append(self._ends.close)
        self._ids: dict[str, str] = {}

    async def start_worker(self) -> None:
        """The supervisor of the stack does."""

    async def _ready(self, *, besides: Collection[int] = ()) -> dict[str, Any]:
        """How to reach the stack, once all its app's processes are there, and none is one of those (any more)."""
        path, give_up_at = self.folder / "data" / "dev.json", time.monotonic() + READY_SECONDS
        while time.monotonic() < give_up_at:
            if path.exists():
                described: dict[str, Any] = json.loads(path.read_text())
                ids = app_ids(described)
                if len(ids) == min(processes_here(), MOST_PROCESSES) and not set(ids) & set(besides):
                    return described
            await asyncio.sleep(0.02)
        raise TimeoutError(f"no stack after {READY_SECONDS:g} s: {(self.folder / 'stack.log').read_text()[-2000:]}")

    @property
    def worker_id(self) -> int:
        return app_ids(self.described)[0]

    async def kill_worker(self) -> None:
        """End the app as a crash does; its supervisor starts it again at once."""
        before = app_ids(self.described)
        for pid in before:
            psutil.Process(pid).kill()
        self.described = await self._ready(besides=before)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.described['client_key']}"}

    async def submit(self, variant: str, job: str) -> None:
        self._ids[job] = await self.post(self._http, variant, job)

    async def post(self, http: aiohttp.ClientSession, variant: str, job: str) -> str:
        body = {"jobType": variant, "taskDescription": "Look these things up.", "inputData": {"name": job}}
        url = f"{self.described['app_url']}/api/agent-jobs"
        async with http.post(url, json=body, headers=self.headers) as found:
            answer = await found.json()
            if found.status != 202:
                raise RuntimeError(f"the app answered {found.status}: {answer}")
        return str(answer["id"])

    async def result(self, job: str) -> list[int]:
        return await self._ends.of_job(self._ids.pop(job))

    @property
    def own_bytes(self) -> int:
        """What this benchmark has read of the store so far."""
        return self._ends.size_bytes

    async def recorded(self) -> set[tuple[str, str]]:
        """As the store has them; what is on the way to it may still come."""
        return {
            (job_id, f"tool-c{number}") for job_id in self._ids.values() for number in await self._ends.calls(job_id)
        }

    def label_of(self, process: psutil.Process) -> str:
        """The parts by their names; what is not a part is the supervisor."""
        label: str = self._labels.get(process.pid, "supervisor")
        return label


if __name__ == "__main__":
    parser = options(__doc__)
    parser.add_argument("--mode", choices=("queue", "inline"), default="inline")
    parser.add_argument("--store", choices=("rest", "resp"), default="rest")
    parser.add_argument("--queue", choices=("qstash", "redis"), default="qstash")
    chosen = parser.parse_args()
    Baton.mode, Baton.store, Baton.queue = chosen.mode, chosen.store, chosen.queue
    Baton.name = f"baton-{chosen.mode}{'-resp' if chosen.store == 'resp' else ''}"
    if chosen.queue == "redis":
        Baton.name = f"baton-redis-{chosen.mode}"
    run(Baton, chosen)
