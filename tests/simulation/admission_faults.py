"""The admission, as functions see it: production's, behind a wire that fails; every change is shown to invariants."""

from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from baton.engine.all_jobs.slots import SWEEP_PAGE, QueueEntry
from baton.engine.state import Job
from baton.engine.work_items import slot_request_key
from baton.sdk.records.limits import Used
from baton.store.records.all_jobs import SlotAnswer, SweepTurn
from baton.store.redis.admission import Admission
from baton_events.errors import StoreError
from tests.simulation.fairness import ON_GRANTS, Said, TableEntry
from tests.simulation.invariants import ON_SLOT_TABLE
from tests.simulation.invocation import CURRENT
from tests.simulation.memory import ADMISSION
from tests.simulation.wire import at_once

if TYPE_CHECKING:
    from tests.simulation.world import World

_T = TypeVar("_T")


class SimAdmission(Admission):
    def __init__(self, world: "World") -> None:
        self._world, self._port = world, world.admission.port
        self._streamed_text_at: dict[str, float] = {}
        self._looked_at: dict[str, float] = {}

    async def slot_request(self, job_id: str, entry: QueueEntry, now_ms: int, **more: Any) -> SlotAnswer:
        """Take a job's word. One that comes late takes a slot for somebody, and tells nobody of those it gives."""
        world = self._world

        async def take() -> SlotAnswer:
            before = world.admission.entries.get(job_id)
            slot_answer = await self._port.slot_request(job_id, entry, now_ms, **more)
            if CURRENT.get().zombie:
                world.excused.add(slot_request_key(job_id, entry.epoch))
                world.excused.update(slot_request_key(found.job_id, found.epoch) for found in slot_answer.granted)
            if slot_answer.busy:
                return slot_answer
            if before is None and job_id in world.tree(job_id).jobs:
                world.came_back.add(job_id)
            later = before is None or before.since_ms < now_ms  # who stood still meanwhile says what was known
            if later and world.admission.entries[job_id].epoch == entry.epoch:  # not an older word
                self._streamed_text_at[job_id] = world.loop.seconds
            world.memory.update_of_a_forgotten_state(job_id)
            return slot_answer

        return await self._request("wish", take, Said(now_ms, job_id, entry.epoch))

    async def used_late(self, job: Job, spent: Used, now_ms: int) -> None:
        await self._request("late", lambda: self._port.used_late(job, spent, now_ms))

    async def sweep(
        self, due_ms: int, now_ms: int, *, again: bool = False, after: str = "", page: int = SWEEP_PAGE
    ) -> SweepTurn:
        page = min(page, self._world.plan.page)

        async def look() -> tuple[SweepTurn, float]:
            return await self._port.sweep(due_ms, now_ms, again=again, after=after, page=page), self._world.loop.seconds

        said = Said(now_ms, due_ms=due_ms)
        turn, self._looked_at[CURRENT.get().name] = await self._request("sweep", look, said)
        self._world.notified_by_sweeps.update(found.job_id for found in turn.granted)
        return turn

    async def slot_table(self) -> dict[str, QueueEntry]:
        return await self._request("book", self._port.slot_table)

    async def entry(self, job_id: str) -> QueueEntry | None:
        return await self._request("entry", lambda: self._port.entry(job_id))

    async def may_request_sweep(self, now_ms: int) -> bool:
        return await self._request("may_request_sweep", lambda: self._port.may_request_sweep(now_ms))

    async def first_value(self, name: str, value: str) -> str:
        return await self._request("first", lambda: self._port.first_value(name, value))

    async def prune(self, ended: Sequence[tuple[str, int]]) -> None:
        if ended:  # the real one asks nothing for nothing, too
            await self._request("leave", lambda: self._port.prune(ended))

    async def _request(self, op: str, make: Callable[[], Coroutine[Any, Any, _T]], said: Said | None = None) -> _T:
        world, admission = self._world, self._world.admission

        def apply() -> _T:
            before, counts = admission.entries, admission.counts
            answer = at_once(make())
            after = admission.entries
            if after is not before:
                world.check(ON_SLOT_TABLE, world)
                slots, spoke = 0 if admission.is_stopped else admission.slots, self._streamed_text(op)
                moments = world.now_ms(), counts.alarm_ms
                world.check(ON_GRANTS, TableEntry(op, before, after, slots, admission.counts, spoke, said, *moments))
                for name in before.keys() - after.keys() & self._streamed_text_at.keys():
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
