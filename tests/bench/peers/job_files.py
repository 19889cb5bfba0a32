"""How a row whose library has no server of its own hands jobs to a worker that is killed: as files of a folder."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

POLL_SECONDS = 0.02
Follow = Callable[[str, str, bool], Awaitable[None]]  # job, variant, whether it was taken by a worker before


def hand_in(folder: Path, variant: str, job: str) -> None:
    (folder / f"job.{job}.{variant}").touch()


async def until_done(folder: Path, job: str) -> None:
    while not (folder / f"done.{job}").exists():  # noqa: ASYNC110 - another process makes the file
        await asyncio.sleep(POLL_SECONDS)


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
