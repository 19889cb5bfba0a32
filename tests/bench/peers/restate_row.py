"""Restate: one server, one Python worker under Hypercorn, as its documentation has it.

python -m tests.bench.peers.restate_row [--crash | --long CALLS | ...]; `BENCH_NPM`: where the server is installed.
"""

import asyncio
import platform
from pathlib import Path

import aiohttp

from tests.bench.peers.command import options, run
from tests.bench.peers.environment import setting
from tests.bench.peers.peer import LOOPBACK, Peer, free_port, python, wait_for_port

ARCHITECTURES = {"x86_64": "x64", "aarch64": "arm64", "arm64": "arm64"}
START_SECONDS = 60.0
REGISTER_TRIES, REGISTER_SECONDS = 60, 0.5


def server_path() -> Path:
    kind = f"{platform.system().lower()}-{ARCHITECTURES.get(platform.machine(), platform.machine())}"
    return Path(setting("BENCH_NPM", ".")) / "node_modules/@restatedev" / f"restate-server-{kind}/bin/restate-server"


class Restate(Peer):
    name = "restate"
    crash_note = "the server calls again and replays its journal by itself"

    async def setup(self) -> None:
        timeout = aiohttp.ClientTimeout(120)
        self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout)
        self.closing.append(self._http.close)
        self._ingress, self._admin, self._port = free_port(), free_port(), free_port()
        self._registered = False
        self._running: dict[str, asyncio.Task[list[int]]] = {}
        variables = {
            "RESTATE_WORKER__INVOKER__INACTIVITY_TIMEOUT": "1m",
            "RESTATE_INGRESS__BIND_PORT": str(self._ingress),
            "RESTATE_ADMIN__BIND_PORT": str(self._admin),
            "RESTATE_BIND_PORT": str(free_port()),
            "RESTATE_DISABLE_TELEMETRY": "true",
            "RESTATE_LISTEN_MODE": "tcp",
            "RESTATE_LOG_FILTER": "warn",
        }
        command = [str(server_path()), "--base-dir", str(self.folder / "data"), "--node-name", "n1"]
        self.spawn("server", command, variables=variables)
        wait_for_port(self._admin, START_SECONDS)
        wait_for_port(self._ingress, START_SECONDS)

    async def start_worker(self) -> None:
        server = ["-k", "uvloop", "--bind", f"{LOOPBACK}:{self._port}", "--log-level", "error"]
        self.spawn("worker", python("-m", "hypercorn", *server, "tests.bench.peers.restate_app:app"))
        wait_for_port(self._port)
        if not self._registered:
            await self._register()

    async def _register(self) -> None:
        shown = ""
        where = {"uri": f"http://{LOOPBACK}:{self.far(self._port)}", "use_http_11": False}
        for _ in range(REGISTER_TRIES):
            try:
                async with self._http.post(f"http://{LOOPBACK}:{self._admin}/deployments", json=where) as answer:
                    shown = await answer.text()
                    if answer.status < 300:
                        self._registered = True
                        return
            except aiohttp.ClientError as error:
                shown = str(error)
            await asyncio.sleep(REGISTER_SECONDS)
        raise RuntimeError(f"Restate does not take the worker: {shown}")

    async def run_job(self, variant: str, job: str) -> list[int]:
        body, headers = {"job": job, "variant": variant}, {"idempotency-key": job}
        url = f"http://{LOOPBACK}:{self._ingress}/agent/run"
        async with self._http.post(url, json=body, headers=headers) as answer:
            answer.raise_for_status()
            times: list[int] = await answer.json()
            return times

    async def submit(self, variant: str, job: str) -> None:
        self._running[job] = asyncio.create_task(self.run_job(variant, job))
        await asyncio.sleep(0)

    async def result(self, job: str) -> list[int]:
        return await self._running[job]


if __name__ == "__main__":
    run(Restate, options(__doc__).parse_args())
