"""Rows whose library has no server of its own: jobs run in this process.

In a run with a crash another process runs them, which is killed; it is handed its jobs as files of a folder.
"""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

from tests.bench.peers.command import run
from tests.bench.peers.peer import Peer, python

POLL_SECONDS = 0.02
Follow = Callable[[str, str, bool], Awaitable[None]]  # job, variant, whether it was taken by a worker before
Worker = Callable[[str, Path], Coroutine[Any, Any, None]]


class InProcess(Peer):
    """`module`: runs the worker; `url`: of its database, from `setup` on."""

    in_process = True
    module = ""
    url = ""

    async def start_worker(self) -> None:
        if self.crashing:
            self.spawn("worker", python("-m", self.module, "--worker", self.url, str(self.folder)))

    async def submit(self, variant: str, job: str) -> None:
        (self.folder / f"job.{job}.{variant}").touch()

    async def result(self, job: str) -> list[int]:
        while not (self.folder / f"done.{job}").exists():  # noqa: ASYNC110 - another process makes the file
            await asyncio.sleep(POLL_SECONDS)
        return []


def run_in_process(make: type[InProcess], worker: Worker, options: argparse.ArgumentParser) -> None:
    """Run the row, or the process that is killed."""
    if sys.argv[1:2] == ["--worker"]:
        asyncio.run(worker(sys.argv[2], Path(sys.argv[3])))
    else:
        run(make, options.parse_args())


async def serve(folder: Path, follow: Follow) -> None:
    """Take jobs for ever; in a new process those, too, that were taken before."""
    seen: set[str] = set()
    running: set[asyncio.Task[None]] = set()

    async def one(job: str, variant: str) -> None:
        taken = folder / f"taken.{job}"
        again = taken.exists()
        taken.touch()
        await follow(job, variant, again)
        (folder / f"done.{job}").touch()

    while True:
        for path in sorted(folder.glob("job.*")):  # noqa: ASYNC240 - one small folder
            if path.name not in seen:
                seen.add(path.name)
                _, job, variant = path.name.split(".")
                running.add(asyncio.create_task(one(job, variant)))
        await asyncio.sleep(POLL_SECONDS)
