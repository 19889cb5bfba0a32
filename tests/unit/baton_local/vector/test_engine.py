"""The order of disk, memory and answer; and what happens when a part fails."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from baton_local.stand_in.api_error import ApiError
from baton_local.vector.core import writing
from baton_local.vector.core.index import Index
from baton_local.vector.core.record import Change
from baton_local.vector.embeddings import EmbeddingModel
from baton_local.vector.engine import Engine
from baton_local.vector.settings import Settings
from baton_local.vector.store import Store, open_database
from tests.unit.baton_local.vector.core.made import draft
from tests.unit.baton_local.vector.still import StillSurroundings

PATIENCE_SECONDS = 120.0


class WatchedStore(Store):
    def __init__(self) -> None:
        super().__init__(open_database(Path(":memory:")))
        self.may_write = threading.Event()
        self.may_write.set()
        self.error: sqlite3.Error | None = None

    def write(self, changes: Iterable[Change]) -> None:
        self.may_write.wait(PATIENCE_SECONDS)
        if self.error is not None:
            raise self.error
        super().write(changes)


@asynccontextmanager
async def an_engine(store: WatchedStore, model: EmbeddingModel | None = None) -> AsyncIterator[Engine]:
    engine = Engine(Index(2, ""), store, model, StillSurroundings(), Settings(Path("unused")))
    try:
        yield engine
    finally:
        store.may_write.set()
        await engine.stop()


def ids(engine: Engine) -> list[str]:
    return list(engine.index.namespaces[""].records)


async def store_one(engine: Engine, name: str) -> str:
    result: str = await engine.write(lambda index: writing.upsert(index, "", [draft(name)]))
    return result


@pytest.mark.parametrize("goes_away", [False, True])
async def test_nothing_is_seen_before_it_is_on_disk(*, goes_away: bool) -> None:
    """A caller who goes away does not part memory from disk: the write goes on, also while the server stops."""
    store = WatchedStore()
    async with an_engine(store) as engine:
        store.may_write.clear()
        writer = asyncio.create_task(store_one(engine, "a"))
        await asyncio.sleep(0.01)
        assert (ids(engine), writer.done()) == ([], False)
        if goes_away:
            writer.cancel()
        else:
            store.may_write.set()
        await asyncio.wait([writer])
        assert writer.cancelled() if goes_away else writer.result() == "Success"
        assert ids(engine) == ([] if goes_away else ["a"])
    assert ids(engine) == ["a"]


async def test_writes_are_planned_one_after_the_other() -> None:
    """Each on what the one before has left, so no two get the same place."""
    async with an_engine(WatchedStore()) as engine:
        await asyncio.gather(*(store_one(engine, str(number)) for number in range(20)))
        assert [record.seq for record in engine.index.namespaces[""].records.values()] == list(range(1, 21))


async def test_when_the_disk_refuses_nothing_is_stored_and_the_next_may_work(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = WatchedStore()
    async with an_engine(store) as engine:
        store.error = sqlite3.OperationalError("database or disk is full")
        with pytest.raises(ApiError, match=r"disk is full\); nothing was stored") as refusal:
            await store_one(engine, "a")
        assert refusal.value.status == 503
        assert ids(engine) == []
        store.error = None
        await store_one(engine, "b")
        assert ids(engine) == ["b"]
    assert "cannot write to the data folder" in caplog.text


async def test_a_model_that_fails_is_an_answer_of_500(caplog: pytest.LogCaptureFixture) -> None:
    def embed(texts: list[str]) -> list[list[float]]:
        if texts == ["bad"]:
            raise RuntimeError("out of memory")
        return [[1.0, 2.0] for _ in texts]

    async with an_engine(WatchedStore(), EmbeddingModel("m:f", 2, embed)) as engine:
        with pytest.raises(ApiError, match="the embedder m:f failed: RuntimeError: out of memory") as failure:
            await engine.embed(["bad"])
        assert failure.value.status == 500
        assert len(await engine.embed(["good", "fine"])) == 2
    assert "out of memory" in caplog.text


async def test_without_a_model_texts_are_refused() -> None:
    async with an_engine(WatchedStore()) as engine:
        assert not engine.has_model
        with pytest.raises(ApiError, match="The index must be created with an embedding model to use it") as refusal:
            await engine.embed(["text"])
        assert refusal.value.status == 422
