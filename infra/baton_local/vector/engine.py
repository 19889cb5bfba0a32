"""The shell around the index: writes one after the other, searches and embeddings in threads.

Time and randomness come from outside here and nowhere else; a test gives its own. Invariant: a write is on disk before
it is in memory, and in memory before it is answered, so what was answered or could be read survives kill -9. If the
disk refuses, the request fails and nothing of it is there.
"""

import asyncio
import logging
import random  # noqa: TID251 - this file is the adapter
import sqlite3
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, Protocol

from baton_local.stand_in.api_error import ApiError
from baton_local.vector.core.errors import unacceptable
from baton_local.vector.core.index import Index
from baton_local.vector.core.querying import Hit, Query, ResumableQueries, ranked
from baton_local.vector.core.record import Vector
from baton_local.vector.core.writing import Plan
from baton_local.vector.embeddings import EmbedderError, EmbeddingModel
from baton_local.vector.settings import Settings
from baton_local.vector.store import Store


class Surroundings(Protocol):
    """What the server cannot compute."""

    def now_ms(self) -> int:
        """Return milliseconds that only grow, from any beginning."""
        ...

    def new_uuid(self) -> str:
        """Return an id that nobody can guess."""
        ...

    def chance(self) -> float:
        """Return a number from 0 to below 1."""
        ...


class System:
    """The machine's."""

    def now_ms(self) -> int:
        """Return milliseconds since some moment of this machine."""
        return int(time.monotonic() * 1_000)

    def new_uuid(self) -> str:
        """Return a random UUID."""
        return str(uuid.uuid4())  # noqa: TID251 - as above

    def chance(self) -> float:
        """Return a pseudo-random number, good enough to pick a record."""
        return random.random()  # noqa: S311 - picks a record, protects nothing


_SEARCH_THREADS = 4  # no faster than one, but a long search does not hold up short ones

_log = logging.getLogger(__name__)


class Engine:
    """Runs requests over one index and its store."""

    def __init__(
        self, index: Index, store: Store, model: EmbeddingModel | None, surroundings: Surroundings, settings: Settings
    ) -> None:
        self.index = index
        self.limits = settings.limits
        self._index_delay_ms = settings.index_delay_ms
        self.surroundings = surroundings
        self.resumable = ResumableQueries(settings.limits.max_resumable_queries)
        self._store = store
        self._model = model
        self._writing = asyncio.Lock()
        self._writes: set[asyncio.Task[Any]] = set()
        self._disk = ThreadPoolExecutor(max_workers=1, thread_name_prefix="vector-disk")
        self._searching = ThreadPoolExecutor(max_workers=_SEARCH_THREADS, thread_name_prefix="vector-search")
        self._embedding = ThreadPoolExecutor(max_workers=1, thread_name_prefix="vector-embed")

    @property
    def has_model(self) -> bool:
        """Whether texts can be embedded."""
        return self._model is not None

    async def write(self, plan: Callable[[Index], Plan]) -> Any:
        """Plan and carry out a write; its result, once it is on disk. A caller that goes away does not stop it."""
        task = asyncio.get_running_loop().create_task(self._write(plan))
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)
        return await asyncio.shield(task)

    async def search(self, namespace: str, query: Query) -> list[Hit]:
        """Return all records that match, best first."""
        space = self.index.namespaces.get(namespace)
        if space is None:
            return []
        records = space.queryable(self.surroundings.now_ms())
        return await asyncio.get_running_loop().run_in_executor(self._searching, ranked, records, query)

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Return the vectors of these texts."""
        if self._model is None:
            raise unacceptable(
                "Embedding data for this index is not allowed. "
                "The index must be created with an embedding model to use it."
            )
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._embedding, self._model.vectors_of, list(texts))
        except EmbedderError as error:
            _log.exception("texts could not be embedded")
            raise ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, str(error)) from error

    async def stop(self) -> None:
        """Let writes in flight reach the disk, and close."""
        if self._writes:
            await asyncio.wait(self._writes)
        self._searching.shutdown(wait=False, cancel_futures=True)
        self._embedding.shutdown(wait=False, cancel_futures=True)
        self._disk.shutdown()
        self._store.close()

    async def _write(self, plan: Callable[[Index], Plan]) -> Any:
        async with self._writing:
            planned = plan(self.index)
            if planned.changes:
                try:
                    await asyncio.get_running_loop().run_in_executor(self._disk, self._store.write, planned.changes)
                except sqlite3.Error as error:
                    _log.critical("cannot write to the data folder: %s", error)
                    raise ApiError(
                        HTTPStatus.SERVICE_UNAVAILABLE, f"cannot write to the data folder ({error}); nothing was stored"
                    ) from error
                now_ms = self.surroundings.now_ms()
                for change in planned.changes:
                    self.index.apply(change, now_ms, self._index_delay_ms)
            return planned.result
