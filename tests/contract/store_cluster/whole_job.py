"""One job from its submission to its last word, driven through the ports as the functions do, step by step.

Queue mode: each event is a message of its own. What a step does is decided by the real core; the model and the tools
are a script. Time is counted here, so that the same job id always gives the same commands.
"""

from collections import deque
from collections.abc import AsyncIterator

from baton.core.admission import Place, Standing
from baton.core.decide import cancel, decide, submit
from baton.core.effects import AskAdmission, CallModel, RunTool
from baton.core.ends import End, row_of
from baton.core.happenings import (
    Admitted,
    Cancelled,
    Happening,
    ModelAnswered,
    Started,
    Submitted,
    ToolFailed,
    ToolReturned,
    Wanted,
)
from baton.core.legs import Leg, LegKind
from baton.core.state import Failure, Job, State
from baton.core.submitting import first_standing
from baton.ports import Claim, Recorded, Spent, Verdict
from baton.recovery.sweeping import over
from baton_events.ids import root_of
from tests.contract.store.side import Side

NOW_MS = 1_800_000_000_000
STEP_MS = 10
LEASE_MS = 130_000
LOST_AFTER_MS = 60_000
HOUR_MS = 3_600_000
END = End("completed", 1_000, 0, 10, 5, 100)
TURNS = (
    ModelAnswered("", (Wanted("steady", {"n": 1}), Wanted("shaky", {"n": 2}, retries=1), Wanted("steady", {"n": 3}))),
    ModelAnswered("", (Wanted("none", {}, Failure("unknown_tool", "there is no such tool")),)),
    ModelAnswered("done"),
)


class WholeJob:
    """A job and its clock."""

    def __init__(self, side: Side, job_id: str) -> None:
        self._side = side
        self._job = Job(job_id, f"session-{job_id}", "tenant_a", "agent_a", NOW_MS)
        self._now_ms = NOW_MS
        self._messages = 0
        self._legs = deque[Leg]()

    async def to_its_end(self) -> AsyncIterator[str]:
        """Run it; gives the name of each step when it is done."""
        await self._submit()
        yield "submitted"
        while self._legs:
            leg = self._legs.popleft()
            yield await self._handle(leg)
        await self._side.store.undelivered(self._claim("loop:gone:1:1"), "m1")
        yield "undelivered"
        await self._side.reader.job(self._job.id)
        yield "read"
        await self._side.reader.parts(self._job.id, 0)
        yield "parts read"

    async def cancelled(self) -> AsyncIterator[str]:
        """Submit it and cancel it before anything of it runs; gives the names of steps."""
        await self._submit()
        yield "submitted"
        loaded = await self._side.store.load(self._job.id)
        assert loaded is not None
        changes = cancel(loaded.job, Cancelled("somebody"), self._tick()).changes
        assert changes is not None
        recorded, carried = await self._side.store.record(loaded, "cancellation", changes, self._now_ms)
        assert recorded is Recorded.COMMITTED
        self._legs = deque(carried)
        yield "cancelled"
        while self._legs:
            yield await self._handle(self._legs.popleft())

    async def swept(self) -> AsyncIterator[str]:
        """The backstop long after its end: it is found ended, and leaves the admission's book."""
        late_ms = self._now_ms + HOUR_MS
        turn = await self._side.admission.sweep(0, late_ms)
        yield "sweep began"
        looked = await self._side.store.look(self._job.id, "sweep", late_ms, LOST_AFTER_MS, turn.book)
        assert looked.ended == (self._job.id,)
        yield "looked at"
        tree = {name: e for name, e in turn.book.items() if root_of(name) == root_of(self._job.id)}
        await self._side.admission.leave(over(tree, looked, late_ms))
        assert self._job.id not in await self._side.admission.book()
        yield "left the book"

    async def _submit(self) -> None:
        standing = first_standing(self._job, self._tick())
        slot = await self._wish(standing)
        changes = submit(Submitted(self._job, {"text": "do it", "data": {}}, slot), self._now_ms).changes
        assert changes is not None
        self._legs.extend((await self._side.store.create(changes, "witness", self._now_ms)).carried)

    async def _handle(self, leg: Leg) -> str:
        self._now_ms = max(self._tick(), leg.not_before_ms)
        claim = self._claim(leg.key, leg.call_id)
        begun = await self._side.store.begin(claim)
        assert begun.verdict is Verdict.GRANTED, (leg.key, begun)
        assert begun.state is not None
        decision = decide(begun.state, Started(), self._now_ms)
        if decision.changes is None:
            happened = await self._happened(begun.state, decision.effects[0], claim)
            decision = decide(begun.state, happened, self._now_ms)
        assert decision.changes is not None
        committed = await self._side.store.commit(claim, decision.changes, Spent(1, 1))
        assert committed.applied
        known = {other.key for other in self._legs}
        self._legs.extend(other for other in committed.carried if other.key not in known)
        return f"{leg.kind} {leg.tool or leg.want} {leg.attempt if leg.kind is not LegKind.WISH else ''}".strip()

    async def _happened(self, state: State, effect: object, claim: Claim) -> Happening:
        match effect:
            case AskAdmission():
                await self._wish(Standing(effect.want, effect.lap))
                return Admitted()
            case CallModel():
                return TURNS[effect.turn - 1]
            case RunTool():
                assert await self._side.store.append(claim, 1, ['{"type":"data-progress"}'])
                if effect.call.tool == "shaky" and effect.attempt == 1:
                    return ToolFailed(Failure("busy", "not yet", retryable=True))
                return ToolReturned('{"found":true}')
            case _:
                raise AssertionError(f"{state.leg.key} asks for {effect}")

    async def _wish(self, standing: Standing) -> bool:
        job = self._job
        place = Place(job.tenant, job.session_id, job.priority, job.created_at_ms, job.agent)
        end = END if standing.want == "gone" else None
        await self._side.listing.add(row_of(job.id, place, end))
        return (await self._side.admission.wish(job.id, standing, place, self._now_ms, end=end)).slot

    def _claim(self, leg_key: str, call_id: str = "") -> Claim:
        self._messages += 1
        number, now_ms = self._messages, self._now_ms
        return Claim(self._job.id, leg_key, f"m{number}", f"o{number}", now_ms, now_ms + LEASE_MS, call_id)

    def _tick(self) -> int:
        self._now_ms += STEP_MS
        return self._now_ms
