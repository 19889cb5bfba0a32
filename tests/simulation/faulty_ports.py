"""The ports beside store, queue and admission, as functions see them: production's, behind a wire that fails.

What the reader shows may be a moment old. A removal by the archive is a write like any other. The faults of the list
are rolled apart from those of other calls: whether it takes rows must change nothing else of a world.
"""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from baton.engine.all_jobs.job_list import Row
from baton.engine.all_jobs.scores import Score
from baton.engine.commit.answers import Recalled, Removed
from baton.engine.state import CallRecord, Job
from baton.queue.ports import DeadLetter, DeadLetters, QueuedMessage
from baton.store.records.jobs import Snapshot
from baton.store.redis.archive import Archive
from baton.store.redis.listing import Listing
from baton.store.redis.reader import Reader
from baton_events.errors import StoreError
from baton_events.ids import root_of
from tests.fakes.queue import FakeQueue
from tests.fakes.queue_records import FakeQueueRecords
from tests.simulation.fairness import ON_GRANTS, TableEntry
from tests.simulation.invariants import ON_SLOT_TABLE, Write
from tests.simulation.invocation import CURRENT
from tests.simulation.memory import ADMISSION
from tests.simulation.queue import Message, unreachable
from tests.simulation.store_writes import check, excuse
from tests.simulation.stored import RETENTION_MS, shown, tag_alone
from tests.simulation.watching import Op
from tests.simulation.wire import at_once

if TYPE_CHECKING:
    from baton.sdk.clock import Clock
    from tests.simulation.world import World

_Call = Callable[[], Coroutine[Any, Any, Any]]


class Through:
    """A port: each call of it is one request on the way to the real one."""

    def __init__(self, real: object, request: Callable[[str, _Call], Coroutine[Any, Any, Any]]) -> None:
        self._real, self._request = real, request

    def __getattr__(self, op: str) -> Callable[..., Any]:
        return lambda *given, **named: self._request(op, lambda: getattr(self._real, op)(*given, **named))


def through_wire(world: "World", name: str, real: object) -> Any:
    """A port whose requests have nothing to do with invariants."""

    async def request(op: str, make: _Call) -> Any:
        return await world.wire.request(f"{name}.{op}", "admission", "store", lambda: at_once(make()), StoreError)

    return Through(real, request)


def admission_control(world: "World") -> Any:
    """`AdmissionControl`, of which a change of the slot table is shown to invariants."""
    admission = world.admission

    async def request(op: str, make: _Call) -> Any:
        def apply() -> Any:
            before = admission.entries
            answer = at_once(make())
            if admission.entries is not before and op != "stop":
                world.check(ON_SLOT_TABLE, world)
                world.check(ON_GRANTS, TableEntry(op, before, admission.entries, admission.slots, admission.counts))
            world.memory.tabled()
            world.memory.strike(ADMISSION)
            return answer

        return await world.wire.request(f"operating.{op}", "admission", "store", apply, StoreError)

    return Through(admission.control, request)


class SimReader(Reader):
    """`Reader`: each read of a job is as old as it happens to be."""

    def __init__(self, world: "World") -> None:
        self._world = world

    async def job(self, job_id: str, **how: bool) -> Any:
        return await self._read("job", job_id, job_id, **how)

    async def jobs(self, job_ids: Sequence[str]) -> dict[str, Snapshot]:
        def read() -> dict[str, Snapshot]:
            return {name: one for each in job_ids for name, one in at_once(self._shown(each).jobs([each])).items()}

        return await self._world.wire.request("reader.jobs", "store", "store", read, StoreError)

    async def known(self, job_ids: Sequence[str]) -> frozenset[str]:
        return frozenset(await self.jobs(job_ids))

    async def calls(self, job_ids: Sequence[str]) -> dict[str, tuple[CallRecord, ...]]:
        """The calls of many jobs, as they are: no fault meets this."""
        readers = [(name, Reader(tag_alone(self._world, self._world.fake.keys(root_of(name))))) for name in job_ids]
        return {name: calls for each, reader in readers for name, calls in (await reader.calls([each])).items()}

    async def parts(self, job_id: str, after: int, known: Job | None = None) -> Any:
        return await self._read("parts", job_id, job_id, after, known)

    async def result(self, job_id: str, call_id: str) -> Any:
        return await self._read("result", job_id, job_id, call_id)

    async def parts_after(self, job: Job, after: int) -> Any:
        return await self._read("parts_after", job.id, job, after)

    async def transcript(self, job_id: str) -> Any:
        return await self._read("transcript", job_id, job_id)

    async def ping(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def _read(self, op: str, job_id: str, *given: Any, **how: bool) -> Any:
        def read() -> Any:
            return at_once(getattr(self._shown(job_id), op)(*given, **how))

        return await self._world.wire.request(f"reader.{op}", "store", "store", read, StoreError)

    def _shown(self, job_id: str) -> Reader:
        return Reader(shown(self._world, job_id, "reader"), self._world.objects)


class SimArchive(Archive):
    """`Archive`: each call reads a tag as it is now, and may remove it."""

    def __init__(self, world: "World") -> None:
        self._world = world

    async def recall(self, job_id: str, *, partly: bool = False) -> Any:
        return await self._run("recall", job_id, job_id)

    async def remove(self, recalled: Recalled) -> Any:
        return await self._run("remove", recalled.loaded.job.id, recalled)

    async def tombstone(self, job_id: str) -> Any:
        return await self._run("tombstone", job_id, job_id)

    async def keep_score(self, job: Job, score: Score) -> bool:
        raise AssertionError(f"nobody gives {job.id} a {score}")

    async def _run(self, op: Op, job_id: str, *given: Any) -> Any:
        world, root = self._world, root_of(job_id)

        def apply() -> Any:
            before, kept = world.tree(root), world.fake.keys(root).copy()
            answer = at_once(getattr(Archive(tag_alone(world, kept), RETENTION_MS), op)(*given))
            if answer is Removed.REMOVED:
                after = world.fake.wrote(root, kept)
                write = Write(world, op, None, before, after, answer)
                check(world, write)
                world.memory.wrote(root)
                excuse(world, CURRENT.get(), write)
            world.memory.strike(root)
            return answer

        return await world.wire.request(f"store.{op}", "store", "store", apply, StoreError)


class SimListing(Listing):
    """`Listing` that may be full."""

    def __init__(self, world: "World") -> None:
        super().__init__(world.all_jobs.connection)
        self._world = world

    async def add(self, row: Row, *, catalogued: bool = False) -> None:
        """Write a job's rows, or fail: then they are missing until the job's next admission update."""
        who = CURRENT.get()
        if self._world.faults.strikes("list-gap", f"{who.name}:{row.job_id}"):
            self._world.list_gaps.add(row.job_id)
            who.faulty = True  # where a row must come first, as before a large task, its work is refused
            raise StoreError("the list is full")
        await super().add(row, catalogued=catalogued)
        self._world.memory.listed[row.job_id] = self._world.loop.seconds
        self._world.memory.tabled()
        job = self._world.tree(row.job_id).jobs.get(row.job_id)
        if row.status or job is None or not job.ended:  # a late row of a job at work does not bring its end
            self._world.list_gaps.discard(row.job_id)


@dataclass
class SimQueueRecords(FakeQueueRecords):
    """`QueueRecords` of which two are behind a wire: what the product asks, and people do not."""

    def __init__(self, world: "World", clock: "Clock") -> None:
        super().__init__(FakeQueue(), clock)
        self._world = world

    async def dead_letters(
        self, *, message_id: str = "", label: str = "", url: str = "", cursor: str = ""
    ) -> DeadLetters:
        """Those for this address."""
        return await self._world.wire.request(
            "queue.dead_letters", "queue", "queue", lambda: DeadLetters(tuple(self._found(url))), unreachable
        )

    async def retry(self, dead_letter_ids: Sequence[str]) -> int:
        """Each that is still there is accepted as a new message."""
        return await self._world.wire.request(
            "queue.retry", "queue", "queue", lambda: sum(map(self._world.queue.revive, dead_letter_ids)), unreachable
        )

    def _found(self, url: str) -> list[DeadLetter]:
        dead = self._world.queue.dead.values()
        return [_letter(message, status) for message, status in dead if message.url == url]


def _letter(message: Message, status: int) -> DeadLetter:
    return DeadLetter(message.id, QueuedMessage(message.id, message.url, message.outgoing.body), status)
