"""The admission, as functions see it: the named fake behind a wire that fails; every change is shown to invariants."""

from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from baton.engine.all_jobs.days import DayUsed, VersionSeen
from baton.engine.all_jobs.ends import AgentCounters, End, MonthUsed
from baton.engine.all_jobs.samples import Sample
from baton.engine.all_jobs.slots import PAGE, QueuedJob, QueueEntry, SlotState
from baton.engine.commit.stored_bytes import BytesAdded
from baton.engine.work_items import slot_request_key
from baton.storage.ports.all_jobs import AdmissionState, ReconcileTurn, SlotAnswer, Started
from baton.storage.ports.app_events import EventRecord
from baton_events.errors import StoreError
from tests.fakes import FakeAdmission, FakeAdmissionControl, FakeAppEvents, FakeStoredBytes
from tests.simulation.fairness import ON_GRANTS, TableEntry
from tests.simulation.invariants import ON_SLOT_TABLE
from tests.simulation.invocation import CURRENT
from tests.simulation.memory import ADMISSION
from tests.simulation.wire import at_once

if TYPE_CHECKING:
    from tests.simulation.world import World

_T = TypeVar("_T")


class SimAdmission:
    """`Admission` behind a wire."""

    def __init__(self, world: "World", fake: FakeAdmission) -> None:
        self._world = world
        self._fake = fake
        self._streamed_text_at: dict[str, float] = {}
        self._looked_at: dict[str, float] = {}

    async def slot_request(
        self,
        job_id: str,
        slot_state: SlotState,
        queued_job: QueuedJob,
        now_ms: int,
        *,
        alone: bool = False,
        end: End | None = None,
        stored: BytesAdded | None = None,
    ) -> SlotAnswer:
        """Take a job's word. One that comes late takes a slot for somebody, and tells nobody of those it gives."""
        world = self._world

        async def take() -> SlotAnswer:
            before = self._fake.entries.get(job_id)
            slot_answer = await self._fake.slot_request(
                job_id, slot_state, queued_job, now_ms, alone=alone, end=end, stored=stored
            )
            if CURRENT.get().zombie:
                world.excused.add(slot_request_key(job_id, slot_state.epoch))
                world.excused.update(slot_request_key(found.job_id, found.epoch) for found in slot_answer.granted)
            if slot_answer.busy:
                return slot_answer
            if before is None and job_id in world.tree(job_id).jobs:
                world.came_back.add(job_id)
            later = before is None or before.since_ms < now_ms  # who stood still meanwhile says what was known
            if later and self._fake.entries[job_id].epoch == slot_state.epoch:  # not an older word
                self._streamed_text_at[job_id] = world.loop.seconds
            world.memory.update_of_a_forgotten_state(job_id)
            return slot_answer

        return await self._request("wish", take)

    async def reconcile(
        self, due_ms: int, now_ms: int, *, again: bool = False, after: str = "", page: int = PAGE
    ) -> ReconcileTurn:
        """A sweep begins."""

        async def look() -> tuple[ReconcileTurn, float]:
            return await self._fake.reconcile(
                due_ms, now_ms, again=again, after=after, page=page
            ), self._world.loop.seconds

        turn, self._looked_at[CURRENT.get().name] = await self._request("sweep", look)
        self._world.notified_by_sweeps.update(found.job_id for found in turn.granted)
        return turn

    async def slot_table(self) -> dict[str, QueueEntry]:
        """All entries."""
        return await self._request("book", self._fake.slot_table)

    async def entry(self, job_id: str) -> QueueEntry | None:
        """A job's entry."""
        return await self._request("entry", lambda: self._fake.entry(job_id))

    async def may_request_reconcile(self, now_ms: int) -> bool:
        """Whether a sweep may be asked for now."""
        return await self._request("may_request_reconcile", lambda: self._fake.may_request_reconcile(now_ms))

    async def first_value(self, name: str, value: str) -> str:
        """The value that was given first under this name."""
        return await self._request("first", lambda: self._fake.first_value(name, value))

    async def prune(self, ended: Sequence[tuple[str, int]]) -> None:
        """Take ended jobs off the slot table."""
        if ended:  # the real one asks nothing for nothing, too
            await self._request("leave", lambda: self._fake.prune(ended))

    async def _request(self, op: str, make: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        world, fake = self._world, self._fake

        def apply() -> _T:
            before = fake.entries
            answer = at_once(make())
            if fake.entries is not before:
                world.check(ON_SLOT_TABLE, world)
                slots = 0 if fake.stopped_ms else fake.slots
                world.check(ON_GRANTS, TableEntry(op, before, fake.entries, slots, self._streamed_text(op)))
                for name in before.keys() - fake.entries.keys() & self._streamed_text_at.keys():
                    if world.memory.forgot(ADMISSION, self._streamed_text_at[name]):
                        world.memory.taken_out_after_all(name)
            world.memory.tabled()
            world.memory.strike(ADMISSION)
            return answer

        return await world.wire.request(f"admission.{op}", "admission", "store", apply, StoreError)

    def _streamed_text(self, op: str) -> frozenset[str]:
        if op != "leave":
            return frozenset()
        looked_at, memory = self._looked_at[CURRENT.get().name], self._world.memory
        shown = {name: at for name, at in self._streamed_text_at.items() if at > looked_at}
        return frozenset(name for name, at in shown.items() if not memory.forgot(ADMISSION, at))


class SimStoredBytes:
    """`StoredBytes` behind a wire."""

    def __init__(self, world: "World", fake: FakeAdmission) -> None:
        self._world = world
        self._fake = FakeStoredBytes(fake)

    async def sums(self, tenant: str) -> dict[int, int]:
        """All of them."""
        return await self._request("sums", lambda: self._fake.sums(tenant))

    async def add(self, tenant: str, more: BytesAdded) -> None:
        """Add to the sums."""
        await self._request("add", lambda: self._fake.add(tenant, more))

    async def forget(self, tenant: str, until_ms: Iterable[int]) -> None:
        """Take sums out."""
        await self._request("forget", lambda: self._fake.forget(tenant, until_ms))

    async def _request(self, op: str, make: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        def apply() -> _T:
            return at_once(make())

        return await self._world.wire.request(f"stored_bytes.{op}", "admission", "store", apply, StoreError)


class SimAppEvents:
    """`AppEvents` behind a wire."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._fake = FakeAppEvents()

    async def add(self, event_id: str, event: str, handlers: tuple[str, ...] = ()) -> EventRecord:
        """Keep an event, and these of its handlers."""
        return await self._request("add", lambda: self._fake.add(event_id, event, handlers))

    async def note(self, event_id: str, name: str, text: str) -> str:
        """Keep a note."""
        return await self._request("note", lambda: self._fake.note(event_id, name, text))

    async def find(self, event_id: str) -> EventRecord | None:
        """Return what is kept of an event."""
        return await self._request("find", lambda: self._fake.find(event_id))

    async def wait(self, name: str, call_id: str, until_ms: int, now_ms: int) -> str:
        """Note that a call waits."""
        return await self._request("wait", lambda: self._fake.wait(name, call_id, until_ms, now_ms))

    async def keep(self, name: str, data: str) -> None:
        """Keep an event's data."""
        await self._request("keep", lambda: self._fake.keep(name, data))

    async def waiting(self, name: str, now_ms: int) -> tuple[str, ...]:
        """Return the calls that wait."""
        return await self._request("waiting", lambda: self._fake.waiting(name, now_ms))

    async def met(self, name: str, call_ids: Sequence[str]) -> None:
        """Note that these wait no more."""
        await self._request("met", lambda: self._fake.met(name, call_ids))

    async def append(self, name: str, entries: Sequence[str]) -> tuple[str, ...]:
        """Add to the end of a list."""
        return await self._request("append", lambda: self._fake.append(name, entries))

    async def newest(self, name: str, number: int = 0) -> int:
        """Return the highest number that is noted."""
        return await self._request("newest", lambda: self._fake.newest(name, number))

    async def _request(self, op: str, make: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        def apply() -> _T:
            return at_once(make())

        return await self._world.wire.request(f"app_events.{op}", "admission", "store", apply, StoreError)


class SimAdmissionControl:
    """`AdmissionControl` behind a wire."""

    def __init__(self, world: "World", fake: FakeAdmission) -> None:
        self._world = world
        self._admission = fake
        self._fake = FakeAdmissionControl(fake)

    async def stop(self, now_ms: int) -> None:
        """Admit nobody any more."""
        await self._request("stop", lambda: self._fake.stop(now_ms))

    async def start(self, now_ms: int, slots: int | None = None) -> Started:
        """Admit jobs again."""
        return await self._request("start", lambda: self._fake.start(now_ms, slots))

    async def state(self) -> AdmissionState:
        """How it stands."""
        return await self._request("state", self._fake.state)

    async def live(self) -> dict[str, QueueEntry]:
        """The entries of jobs that are not gone."""
        return await self._request("live", self._fake.live)

    async def line(self, tenant: str, session_id: str) -> dict[str, QueueEntry]:
        """The entries of a session's jobs."""
        return await self._request("line", lambda: self._fake.line(tenant, session_id))

    async def ends(self) -> dict[str, AgentCounters]:
        """What ended jobs add up to."""
        return await self._request("ends", self._fake.ends)

    async def used(self) -> tuple[MonthUsed, ...]:
        """What the jobs of each month and tenant have used."""
        return await self._request("used", self._fake.used)

    async def days(self, names: Sequence[str]) -> tuple[DayUsed, ...]:
        """What the jobs of these days have used."""
        return await self._request("days", lambda: self._fake.days(names))

    async def versions(self, agent: str) -> tuple[VersionSeen, ...]:
        """The versions of an agent."""
        return await self._request("versions", lambda: self._fake.versions(agent))

    async def samples(self, now_ms: int) -> tuple[Sample, ...]:
        """How it stood in the last hours."""
        return await self._request("samples", lambda: self._fake.samples(now_ms))

    async def _request(self, op: str, make: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        world, fake = self._world, self._admission

        def apply() -> _T:
            before = fake.entries
            answer = at_once(make())
            if fake.entries is not before:
                world.check(ON_SLOT_TABLE, world)
                world.check(ON_GRANTS, TableEntry(op, before, fake.entries, fake.slots, frozenset()))
            world.memory.tabled()
            world.memory.strike(ADMISSION)
            return answer

        return await world.wire.request(f"operating.{op}", "admission", "store", apply, StoreError)
