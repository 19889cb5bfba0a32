"""A file that is kept again while the objects of its session are deleted has its object, or is refused."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from baton.store.objects import Objects
from baton_events.errors import StoreError
from tests.unit.baton.whole.test_objects_deleted import FILE, HOUR_MS, keep, made, read, there


async def test_a_file_whose_object_was_there_before_the_deletion_and_named_after_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deletion is over, and its mark gone, once the file is complete."""
    stage = made(tmp_path)
    await keep(stage)
    stage.redis.run("DEL", "baton:files:" + there(tmp_path)[0].parent.name)
    deleted, put, keeping = Objects.delete_below, Objects.put, list[asyncio.Task[None]]()
    was_put, over = asyncio.Event(), asyncio.Event()

    async def late(self: Objects, place: str) -> int:
        keeping.append(asyncio.ensure_future(keep(stage)))
        await asyncio.wait([keeping[0], asyncio.ensure_future(was_put.wait())], return_when=asyncio.FIRST_COMPLETED)
        return await deleted(self, place)

    async def slow(self: Objects, *of: Any) -> str:
        ref = await put(self, *of)
        was_put.set()
        await over.wait()
        return ref

    monkeypatch.setattr(Objects, "delete_below", late)
    monkeypatch.setattr(Objects, "put", slow)
    await stage.ports.chats.prune_apart(int(there(tmp_path)[0].stat().st_mtime * 1000) + 2 * HOUR_MS)
    over.set()
    [said] = await asyncio.gather(*keeping, return_exceptions=True)
    assert isinstance(said, StoreError) or await read(stage) == FILE
