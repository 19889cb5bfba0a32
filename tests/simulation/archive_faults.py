"""The archive, as functions see it: the named fake behind a wire that fails; a removal is a write like any other."""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from baton.engine.all_jobs.scores import Score
from baton.engine.commit.answers import Recalled, Removed, Tombstone
from baton_events.errors import StoreError
from baton_events.ids import root_of
from tests.fakes import FakeArchive
from tests.simulation.invariants import Write
from tests.simulation.invocation import CURRENT
from tests.simulation.store_writes import check, excuse
from tests.simulation.watching import Op
from tests.simulation.wire import at_once

if TYPE_CHECKING:
    from tests.simulation.world import World

_T = TypeVar("_T")


class SimArchive:
    """`Archive` behind a wire."""

    def __init__(self, world: "World", fake: FakeArchive) -> None:
        self._world = world
        self._fake = fake

    async def recall(self, job_id: str) -> Recalled | None:
        """A job, as one script reads it: never as it was before."""
        return await self._request("recall", job_id, lambda: self._fake.recall(job_id))

    async def remove(self, recalled: Recalled, now_ms: int) -> Removed:
        """Remove a tree."""
        return await self._request("remove", recalled.loaded.job.id, lambda: self._fake.remove(recalled, now_ms))

    async def tombstone(self, job_id: str) -> Tombstone | None:
        """What is left of a tree."""
        return await self._request("tombstone", job_id, lambda: self._fake.tombstone(job_id))

    async def keep_score(self, job_id: str, score: Score) -> bool:
        """Keep a score: nothing of a job follows from it."""
        return await self._fake.keep_score(job_id, score)

    async def _request(self, op: Op, job_id: str, make: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        """One script on a job's tag."""
        world, root = self._world, root_of(job_id)

        def apply() -> _T:
            before = world.tree(root)
            answer = at_once(make())
            after = world.tree(root)
            if after is not before:
                write = Write(world, op, None, before, after, answer)
                check(world, write)
                world.memory.wrote(root)
                excuse(world, CURRENT.get(), write)
            world.memory.strike(root)
            return answer

        return await world.wire.request(f"store.{op}", "store", "store", apply, StoreError)
