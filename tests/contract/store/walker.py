"""A process that goes on with whatever it holds of a job of one call after another, as an invocation does, or hops."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from events.core.effects import Changes
from events.core.going_on import GoOn
from events.core.legs import Leg, LegKind, following, loop_leg
from events.core.parts import handled
from events.core.tool_use import ToolUse
from events.core.transitions import JobStatus
from events.ports import Begun, Committed, Verdict
from tests.contract.store.sample import (
    JOB_ID,
    NOW_MS,
    SPENT,
    call_leg,
    claim_of,
    complete_leg,
    leases_of,
    next_turn,
    record_of,
)
from tests.contract.store.side import Side

TURNS = 4
_KINDS = frozenset(LegKind)
_EVENT = handled(call_leg(0), NOW_MS, "returned")
# What may be out of the ordinary about a step; most of it no short COMMIT does.
ODDITIES = (
    "two calls",
    "five calls",
    "two groups",
    "later",
    "isolated",
    "apart",
    "unchanged job",
    "no room",
    "room for none",
    "few kinds",
    "text",
    "ends",
    "other run",
    "in hand",
)


@dataclass
class Walker:
    """`hops`: each step is one of its own. `held`: what a COMMIT has claimed for it."""

    name: str
    side: Side
    hops: bool = False
    held: list[Begun] = field(default_factory=list)
    count: int = 0

    async def step(self, oddities: Sequence[str] = (), meanwhile: Callable[[], Awaitable[None]] | None = None) -> Any:
        """Go on with what it holds, or with the first step that it gets; the answers. `meanwhile`: while it works."""
        begun = self.held.pop() if self.held else await self._begun()
        if begun is None or begun.state is None:
            return begun
        if meanwhile:
            await meanwhile()
        answer = await self._committed(begun, oddities)
        self.held += answer.claimed
        return begun, answer

    async def at_once(
        self, oddities: Sequence[str] = (), meanwhile: Callable[[], Awaitable[None]] | None = None
    ) -> list[Committed]:
        """End the calls that it holds at the same time; the answers, in the order in which they were claimed.

        Those of one claim: else nobody could say which comes first.
        """
        if meanwhile:
            await meanwhile()
        claims = {(begun.state.leg.owner, begun.state.leg.group) for begun in self.held if begun.state}
        held, self.held = (self.held, []) if len(claims) == 1 else ([], self.held)
        answers = await asyncio.gather(*(self._committed(begun, oddities) for begun in held))
        self.held += [begun for answer in answers for begun in answer.claimed]
        return answers

    async def _committed(self, begun: Begun, oddities: Sequence[str]) -> Committed:
        assert begun.state is not None
        leg = begun.state.leg
        run = 2 if "other run" in oddities else begun.state.job.run
        claim = replace(claim_of(leg, leg.carrier, leg.owner), run=run)
        if leg.kind is LegKind.LOOP:
            claim = replace(claim, since_ms=leg.since_ms)
        if "text" in oddities:
            await self.side.store.append(claim, 1, ["a text"], "text-1")
        changes, go_on = _changes(begun, oddities, hops=self.hops), self._room(leg, oddities)
        return await self.side.store.commit(claim, changes, SPENT, go_on)

    async def _begun(self) -> Begun | None:
        self.count += 1
        for turn in range(1, TURNS + 1):
            calls = [each(position, turn=turn) for each in (call_leg, complete_leg) for position in range(5)]
            for leg in (loop_leg(JOB_ID, turn, 1, NOW_MS), *calls):
                message, owner = f"m.{self.name}.{self.count}", f"{self.name}.{self.count}"
                begun = await self.side.store.begin(claim_of(leg, message, owner))
                if begun.verdict is Verdict.GRANTED:
                    return begun
        return None

    def _room(self, leg: Leg, oddities: Sequence[str]) -> GoOn | None:
        self.count += 1
        if self.hops or "no room" in oddities:
            return None
        kinds = frozenset({leg.kind}) if "few kinds" in oddities else _KINDS
        hand = frozenset({call_leg(0, turn=leg.turn).key, loop_leg(JOB_ID, leg.turn + 1, 1, NOW_MS).key})
        but = hand if "in hand" in oddities else frozenset[str]()
        at_most = 0 if "room for none" in oddities else 5
        return GoOn(f"{self.name}.{self.count}", leases_of(kinds), at_most, but)


def _changes(begun: Begun, oddities: Sequence[str], *, hops: bool) -> Changes:
    state = begun.state
    assert state is not None
    leg, job = state.leg, replace(state.job, turn=state.leg.turn, isolated="apart" in oddities)
    parts = ("a part", _EVENT)
    if "ends" in oddities:
        return Changes(job=replace(job, status=JobStatus.COMPLETED), ends=True, parts=parts)
    if leg.kind is not LegKind.LOOP:
        ends = hops and leg.kind is LegKind.CALL
        record = replace(record_of(leg), attempts=1 if ends else 2)
        return Changes(
            job=job if "apart" in oddities else None,
            legs=(following(leg, LegKind.COMPLETE, NOW_MS),) if ends else (),
            join=None if ends else next_turn(turn=leg.turn + 1),
            calls=(record,),
            results={leg.call_id: '{"ok":1}'} if leg.kind is LegKind.CALL else {},
            parts=parts,
            used=ToolUse("tool_a", failed=False, duration_ms=1) if leg.kind is LegKind.CALL else None,
        )
    count = 5 if "five calls" in oddities else 2 if {"two calls", "two groups"} & set(oddities) else 1
    legs = tuple(call_leg(position, turn=leg.turn) for position in range(count))
    if "two groups" in oddities:
        legs = (legs[0], replace(legs[1], group="another"))
    if "later" in oddities:
        legs = tuple(replace(each, not_before_ms=NOW_MS + 1) for each in legs)
    if "isolated" in oddities:
        legs = tuple(replace(each, isolated=True) for each in legs)
    said = f'{{"calls":[{{"id":"{legs[0].call_id}"}}],"role":"model"}}'
    return Changes(
        job=None if "unchanged job" in oddities else job,
        legs=legs,
        calls=tuple(record_of(each) for each in legs),
        transcript=(said,),
        parts=parts,
    )
