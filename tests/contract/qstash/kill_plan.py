"""Blows to a server process, from a seed: SIGKILL a moment after it listens, or while it is still starting.

Invariant: the same seed gives the same plan. What the server was just doing is chance, so a seed repeats the blows, not
the outcome. The port stays the same, and lies where no client's own end of a connection can take it meanwhile.
"""

import asyncio
import secrets
import socket
import sys
from asyncio.subprocess import DEVNULL
from dataclasses import dataclass
from pathlib import Path
from random import Random  # noqa: TID251 - the one file of these tests that draws, from a seed that is printed

from tests.unit.baton_local.qstash.server_process import ServerProcess

_LONGEST_LIFE_SECONDS, _LONGEST_START_SECONDS = 0.5, 0.4
_STARTING_SHARE = 0.25
_PORTS = range(20_000, 32_000)  # below those that the system gives to clients


@dataclass(frozen=True, slots=True)
class Blow:
    """So long after the server listens, or, if it is to be `starting`, after its process began."""

    seconds: float
    starting: bool


def blows(seed: int, count: int) -> list[Blow]:
    random = Random(seed)
    return [
        Blow(random.uniform(0, _LONGEST_START_SECONDS if starting else _LONGEST_LIFE_SECONDS), starting)
        for starting in (random.random() < _STARTING_SHARE for _ in range(count))
    ]


def free_port() -> int:
    """A port that nobody listens on, and that another run of these tests does not choose, too."""
    while True:
        port = secrets.choice(_PORTS)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port


class KilledServer:
    """A server that is killed and started again, over one folder and at one port."""

    def __init__(self, data: Path, port: int) -> None:
        self._data = data
        self.port = port
        self.running = ServerProcess(data, port=port)

    async def strike(self, blow: Blow) -> None:
        if not blow.starting:
            await asyncio.sleep(blow.seconds)
        await asyncio.to_thread(self.running.kill)
        if blow.starting:
            await self._start_and_kill(blow.seconds)
        self.running = await asyncio.to_thread(ServerProcess, self._data, port=self.port)
        assert self.running.banner, f"the server did not start again: {self.running.wait()}"

    async def _start_and_kill(self, seconds: float) -> None:
        arguments = ("-m", "baton_local.qstash", "--data", str(self._data), "--port", str(self.port))
        process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=DEVNULL, stderr=DEVNULL)
        await asyncio.sleep(seconds)
        process.kill()
        await process.wait()
