import asyncio
import json
from typing import Any

import pytest
import respx

from baton.client import AsyncBatonClient, NotFoundError
from baton_local.cli.demo.family import Member, Part, follow
from tests.unit.baton_local.cli.demo.test_story import APP, JOBS, STREAM, sse


def child(job_id: str, status: str = "waiting") -> Part:
    return {"type": "data-operation", "data": {"callId": "c", "tool": "helper", "status": status, "jobId": job_id}}


def text(delta: str) -> Part:
    return {"type": "text-delta", "delta": delta}


async def followed(streams: dict[str, tuple[Any, ...]]) -> list[tuple[Member, Part]]:
    """Everything that is shown of these jobs, the first of them followed."""
    seen: list[tuple[Member, Part]] = []
    with respx.mock() as router:
        for job_id, parts in streams.items():
            router.get(f"{JOBS}/{job_id}/stream").respond(text=sse(*parts, "[DONE]"), headers=STREAM)
        async with AsyncBatonClient(APP, "ck") as client:
            await follow(client, Member(next(iter(streams))), lambda who, part: seen.append((who, part)))
    return seen


async def test_jobs_below_are_followed_to_their_end_each_once() -> None:
    """Two levels deep, with the tool's name; each job's parts in order."""
    seen = await followed(
        {
            "a": (text("a1"), child("a.b"), child("a.b", "completed"), text("a2")),
            "a.b": (text("b1"), child("a.c")),
            "a.c": (text("c1"), text("c2")),
        }
    )
    shown = [(who, part["delta"]) for who, part in seen if "delta" in part]
    a, b, c = Member("a"), Member("a.b", 1, "helper"), Member("a.c", 2, "helper")
    assert {who: [delta for other, delta in shown if other == who] for who in (a, b, c)} == {
        a: ["a1", "a2"],
        b: ["b1"],
        c: ["c1", "c2"],
    }


async def test_a_wait_for_something_else_has_nothing_to_follow() -> None:
    waiting = {"type": "data-operation", "data": {"callId": "c", "tool": "sleep", "status": "waiting", "until": 5}}
    assert [part for _, part in await followed({"a": (waiting,)})] == [waiting]


async def test_a_refused_stream_below_ends_it_with_its_error() -> None:
    with respx.mock() as router:
        router.get(f"{JOBS}/a/stream").respond(text=sse(child("a.b"), "[DONE]"), headers=STREAM)
        router.get(f"{JOBS}/a.b/stream").respond(404, text=json.dumps("unknown"))
        async with AsyncBatonClient(APP, "ck") as client:
            with pytest.raises(NotFoundError):
                await follow(client, Member("a"), lambda _who, _part: None)
    assert asyncio.all_tasks() == {asyncio.current_task()}
