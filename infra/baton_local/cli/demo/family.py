"""A job's parts as they come, and those of the jobs that its tool calls start.

Invariant: every part of every job below is given once, each job's in order; it is over when all of them have ended.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from baton_local.cli.demo.job_client import JobClient, Part


@dataclass(frozen=True)
class Member:
    """A job: how deep below the first one, and the tool that started it."""

    job_id: str
    depth: int = 0
    name: str = ""


Show = Callable[[Member, Part], None]


async def follow(client: JobClient, member: Member, show: Show) -> None:
    """Show the parts of a job and of all jobs below it."""
    children: dict[str, asyncio.Task[None]] = {}
    try:
        async for part in client.parts(member.job_id):
            show(member, part)
            child = _started(part, member)
            if child is not None and child.job_id not in children:
                children[child.job_id] = asyncio.create_task(follow(client, child, show))
        await asyncio.gather(*children.values())
    finally:
        for task in children.values():
            task.cancel()
        await asyncio.gather(*children.values(), return_exceptions=True)


def _started(part: Part, parent: Member) -> Member | None:
    data = part.get("data")
    if part.get("type") != "data-operation" or not isinstance(data, dict) or not data.get("jobId"):
        return None
    return Member(data["jobId"], parent.depth + 1, str(data.get("tool", "")))
