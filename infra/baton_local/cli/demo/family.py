"""A job and the jobs that its tool calls start, followed together: each part of each once, each job's in order."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from baton.client import AsyncBatonClient
from baton.sdk.records.stream_part import StreamPart


@dataclass(frozen=True)
class Member:
    """A job: how deep below the first one, and the tool that started it."""

    job_id: str
    depth: int = 0
    name: str = ""


Show = Callable[[Member, StreamPart], None]


async def follow(client: AsyncBatonClient, member: Member, show: Show) -> None:
    """Show the parts of a job and of all jobs below it."""
    children: dict[str, asyncio.Task[None]] = {}
    try:
        async for streamed in client.stream(member.job_id):
            part = cast("StreamPart", streamed.raw)
            show(member, part)
            child = _started(part, member)
            if child is not None and child.job_id not in children:
                children[child.job_id] = asyncio.create_task(follow(client, child, show))
        await asyncio.gather(*children.values())
    finally:
        for task in children.values():
            task.cancel()
        await asyncio.gather(*children.values(), return_exceptions=True)


def _started(part: StreamPart, parent: Member) -> Member | None:
    if part["type"] != "data-operation" or not part["data"].get("jobId"):
        return None
    return Member(part["data"]["jobId"], parent.depth + 1, str(part["data"].get("tool", "")))
