"""Sample records: a job, its legs, what follows from them, and who asks for them."""

from collections.abc import Iterable

from msgspec.structs import replace

from baton.core.admission import Book, Entry, Want
from baton.core.decide import submit
from baton.core.effects import Changes, Join
from baton.core.happenings import Submitted
from baton.core.legs import Leg, LegKind, following, loop_leg, tool_key, turn_group, wish_leg
from baton.core.limits import Limits, first_reserve
from baton.core.state import CallRecord, Job, ModelPolicy
from baton.core.submitting import first_standing
from baton.ports import Claim, Spent
from tests.contract.store.side import Side

NOW_MS = 1_800_000_000_000
LEASE_MS = 130_000
JOB_ID = "job_a"
FIRST_LAP = first_standing(Job(JOB_ID, "", "", "", NOW_MS), NOW_MS).lap
SPENT = Spent(messages=1, requests=1, commands=0, written=5)


def a_job(job_id: str = JOB_ID, *, reads_history: bool = True) -> Job:
    """A pending job."""
    policy = ModelPolicy(reads_history=reads_history)
    reserve = first_reserve(Limits())  # as a submission makes it
    return Job(job_id, "session_a", "tenant_a", "agent_a", NOW_MS, model=policy, reserve_tokens=reserve)


def creation(job: Job, text: str = "do it", *, slot: bool = True) -> Changes:
    """What a submission creates; without a slot the job wishes for one."""
    changes = submit(Submitted(job, {"text": text, "data": {"a": None}}, slot), NOW_MS).changes
    assert changes is not None
    return changes


def book_of(*job_ids: str) -> Book:
    """The admission's book as it is when each of these jobs was given a slot with its creation."""
    place = ("tenant_a", "session_a", 5, NOW_MS)
    return {job_id: Entry(*place, lap=FIRST_LAP, want="slot", slot=True, started=True) for job_id in job_ids}


def first_leg(job_id: str = JOB_ID) -> Leg:
    """The leg of the first turn."""
    return loop_leg(job_id, 1, 1, NOW_MS)


def call_leg(position: int, job_id: str = JOB_ID, turn: int = 1) -> Leg:
    """The leg of a tool call of a turn."""
    call_id = f"{job_id}-{turn}-{position}-aaaaaaaaaa"
    return Leg(
        key=tool_key(LegKind.CALL, call_id, 1),
        kind=LegKind.CALL,
        job_id=job_id,
        turn=turn,
        attempt=1,
        position=position,
        call_id=call_id,
        tool="tool_a",
        group=turn_group(job_id, turn),
        since_ms=NOW_MS,
    )


def complete_leg(position: int, job_id: str = JOB_ID, turn: int = 1) -> Leg:
    """The leg that takes in a result."""
    return following(call_leg(position, job_id, turn), LegKind.COMPLETE, NOW_MS)


def record_of(leg: Leg) -> CallRecord:
    """The record of a leg's tool call."""
    return CallRecord(leg.call_id, leg.turn, leg.position, leg.tool, {"a": [1, None, {}]})


def next_turn(job_id: str = JOB_ID, turn: int = 2) -> Join:
    """The join of the turn before."""
    return Join(turn_group(job_id, turn - 1), loop_leg(job_id, turn, 1, NOW_MS))


def wish_of(want: Want, message: str, lap: int = NOW_MS, job_id: str = JOB_ID) -> Leg:
    """A job's wish, carried by a message."""
    return replace(wish_leg(job_id, want, lap, lap), carrier=message)


def leases_of(kinds: Iterable[LegKind] = LegKind) -> dict[LegKind, int]:
    """For how long these kinds of legs are claimed: each for a time of its own."""
    return {kind: LEASE_MS + 1_000 * place for place, kind in enumerate(LegKind) if kind in set(kinds)}


def claim_of(leg: Leg, message: str = "m1", owner: str = "o1", *, after_ms: int = 0) -> Claim:
    """Who asks for a leg, `after_ms` after the beginning."""
    now_ms = NOW_MS + after_ms
    return Claim(leg.job_id, leg.key, message, owner, now_ms, now_ms + LEASE_MS, leg.call_id)


def by_key(legs: Iterable[Leg]) -> list[Leg]:
    """Legs in the order of their keys, to compare what has no promised order."""
    return sorted(legs, key=lambda leg: leg.key)


async def fan_out(side: Side, count: int, message: str = "m1") -> list[Leg]:
    """A job whose first turn asked for `count` tool calls, all carried by `message`; its legs."""
    legs = [call_leg(position) for position in range(count)]
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    changes = Changes(legs=tuple(legs), calls=tuple(map(record_of, legs)))
    assert (await side.store.commit(claim_of(first_leg(), message), changes, SPENT)).applied
    return legs


async def take_in(side: Side, legs: Iterable[Leg]) -> None:
    """Each call returns: its leg is followed by the one that takes its result in, carried by a message of its own."""
    for leg in legs:
        message = f"call{leg.position}"
        changes = Changes(legs=(complete_leg(leg.position),), results={leg.call_id: '{"ok":1}'})
        assert (await side.store.commit(claim_of(leg, message), changes, SPENT)).applied
