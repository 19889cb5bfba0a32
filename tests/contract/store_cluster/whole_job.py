"""One job from its submission to its last word, replayed through the ports as the functions do, step by step.

Queue mode: each event is a message of its own. What a step does is decided by the real core; the model and the tools
are a script. Time is counted here, so that the same job id always gives the same commands.
"""

from collections import deque
from collections.abc import AsyncIterator

from baton.engine.all_jobs.ends import End
from baton.engine.all_jobs.job_list import Row
from baton.engine.all_jobs.shelves import shelves_of
from baton.engine.all_jobs.slots import QueueEntry, SlotState
from baton.engine.commit.answers import Claim, Recorded, Verdict
from baton.engine.decide import cancel, decide, submit
from baton.engine.effects import CallModel, RequestSlot, RunTool
from baton.engine.lifecycle import first_slot_state
from baton.engine.state import Job, State
from baton.engine.step_results import Admitted, ModelAnswered, Started, StepResult, Submitted, ToolFailed, ToolReturned
from baton.engine.work_items import ItemKind, WorkItem
from baton.sdk.records.transcript import Failure, Wanted
from baton.worker.recovery.sweep import over
from baton_events.ids import root_of
from baton_events.schema import Cancellation
from tests.contract.store.side import Side

NOW_MS = 1_800_000_000_000
STEP_MS = 10
LEASE_MS = 130_000
STALLED_AFTER_MS = 60_000
HOUR_MS = 3_600_000
END = End("completed", 1_000, 0, 10, 5, 100)
TURNS = (
    ModelAnswered("", (Wanted("steady", {"n": 1}), Wanted("shaky", {"n": 2}, retries=1), Wanted("steady", {"n": 3}))),
    ModelAnswered("", (Wanted("none", {}, Failure("unknown_tool", "there is no such tool")),)),
    ModelAnswered("done"),
)


class WholeJob:
    def __init__(self, side: Side, job_id: str) -> None:
        self._side = side
        self._job = Job(job_id, f"session-{job_id}", "tenant_a", "agent_a", NOW_MS)
        self._now_ms = NOW_MS
        self._messages = 0
        self._items = deque[WorkItem]()

    async def run(self, *, swept: bool = False) -> None:
        """Run it to its end, and sweep it if asked to."""
        for part in (self.to_its_end, self.swept) if swept else (self.to_its_end,):
            async for _ in part():
                pass

    async def to_its_end(self) -> AsyncIterator[str]:
        """Run it; gives the name of each step when it is done."""
        await self._submit()
        yield "submitted"
        while self._items:
            item = self._items.popleft()
            yield await self._handle(item)
        await self._side.store.undelivered(self._claim("loop:gone:1:1"), "m1")
        yield "undelivered"
        await self._side.reader.job(self._job.id)
        yield "read"
        await self._side.reader.parts(self._job.id, 0)
        yield "parts read"

    async def cancelled(self) -> None:
        """Submit it and cancel it before anything of it runs."""
        await self._submit()
        loaded = await self._side.store.load(self._job.id)
        assert loaded is not None
        changes = cancel(loaded.job, Cancellation(by="somebody"), self._tick()).changes
        assert changes is not None
        recorded, pending = await self._side.store.record(loaded, "cancellation", changes, self._now_ms)
        assert recorded is Recorded.COMMITTED
        self._items = deque(pending)
        while self._items:
            await self._handle(self._items.popleft())

    async def swept(self) -> AsyncIterator[str]:
        """The backstop long after its end: it is found ended, and leaves the admission's slot table."""
        late_ms = self._now_ms + HOUR_MS
        turn = await self._side.admission.sweep(0, late_ms)
        yield "sweep began"
        reconciled = await self._side.store.reconcile(self._job.id, "sweep", late_ms, STALLED_AFTER_MS, turn.slot_table)
        assert reconciled.ended == (self._job.id,)
        yield "looked at"
        tree = {name: e for name, e in turn.slot_table.items() if root_of(name) == root_of(self._job.id)}
        await self._side.admission.prune(over(tree, reconciled, late_ms))
        assert self._job.id not in await self._side.admission.slot_table()
        yield "left the slot table"

    async def _submit(self) -> None:
        slot_state = first_slot_state(self._job, self._tick())
        slot = await self._slot_request(slot_state)
        changes = submit(Submitted(self._job, {"text": "do it", "data": {}}, slot), self._now_ms).changes
        assert changes is not None
        self._items.extend((await self._side.store.create(changes, "witness", self._now_ms)).pending)

    async def _handle(self, item: WorkItem) -> str:
        self._now_ms = max(self._tick(), item.not_before_ms)
        claim = self._claim(item.key, item.call_id)
        claim_result = await self._side.store.claim(claim)
        assert claim_result.verdict is Verdict.GRANTED, (item.key, claim_result)
        assert claim_result.state is not None
        decision = decide(claim_result.state, Started(), self._now_ms)
        if decision.changes is None:
            step_result = await self._step_result(claim_result.state, decision.effects[0], claim)
            decision = decide(claim_result.state, step_result, self._now_ms)
        assert decision.changes is not None
        committed = await self._side.store.commit(claim, decision.changes)
        assert committed.applied
        known = {other.key for other in self._items}
        self._items.extend(other for other in committed.pending if other.key not in known)
        attempt = "" if item.kind is ItemKind.SLOT_REQUEST else item.attempt
        return f"{item.kind} {item.tool or item.want} {attempt}".strip()

    async def _step_result(self, state: State, effect: object, claim: Claim) -> StepResult:
        match effect:
            case RequestSlot():
                await self._slot_request(SlotState(effect.want, effect.epoch))
                return Admitted()
            case CallModel():
                return TURNS[effect.turn - 1]
            case RunTool():
                assert await self._side.store.append(claim, 1, ['{"type":"data-progress"}'])
                if effect.call.tool == "shaky" and effect.attempt == 1:
                    return ToolFailed(Failure("busy", "not yet", retryable=True))
                return ToolReturned('{"found":true}')
            case _:
                raise AssertionError(f"{state.item.key} asks for {effect}")

    async def _slot_request(self, slot_state: SlotState) -> bool:
        job = self._job
        place = job.tenant, job.session_id, job.priority, job.created_at_ms
        entry = QueueEntry(*place, slot_state.epoch, slot_state.want, agent=job.agent)
        end = END if slot_state.want == "gone" else None
        row = Row(job.id, job.created_at_ms, job.tenant, job.session_id, job.agent, end.status if end else "")
        await self._side.listing.add(row, catalogued=True)
        request = self._side.admission.slot_request
        return (await request(job.id, entry, self._now_ms, end=end, shelves=shelves_of(row))).slot

    def _claim(self, item_key: str, call_id: str = "") -> Claim:
        self._messages += 1
        number, now_ms = self._messages, self._now_ms
        return Claim(self._job.id, item_key, f"m{number}", f"o{number}", now_ms, now_ms + LEASE_MS, call_id)

    def _tick(self) -> int:
        self._now_ms += STEP_MS
        return self._now_ms
