"""Sample records: a job, its work items, what follows from them, and who asks for them."""

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from baton.engine.all_jobs.slots import QueueEntry, SlotTable, Want
from baton.engine.commit.answers import Claim, Loaded
from baton.engine.decide import submit
from baton.engine.effects import Changes, Join
from baton.engine.lifecycle import first_slot_state
from baton.engine.state import CallRecord, Job, State
from baton.engine.step_results import Submitted
from baton.engine.work_items import ItemKind, WorkItem, following, loop_item, slot_request_item, tool_key, turn_group
from baton.sdk.records.limits import Limits, first_reserve
from baton.sdk.records.transcript import ModelPolicy
from baton.store.records.all_jobs import SlotAnswer
from baton.store.records.jobs import Snapshot
from baton.store.redis.store import Store
from tests.contract.store.side import Side

NOW_MS = 1_800_000_000_000
LEASE_MS = 130_000
JOB_ID = "job_a"
FIRST_EPOCH = first_slot_state(Job(JOB_ID, "", "", "", NOW_MS), NOW_MS).epoch


def a_job(job_id: str = JOB_ID, *, reads_history: bool = True) -> Job:
    policy = ModelPolicy(reads_history=reads_history)
    reserve = first_reserve(Limits())  # as a submission makes it
    return Job(job_id, "session_a", "tenant_a", "agent_a", NOW_MS, model=policy, reserve_tokens=reserve)


def creation(job: Job, text: str = "do it", *, slot: bool = True) -> Changes:
    """What a submission creates; without a slot the job requests one."""
    changes = submit(Submitted(job, {"text": text, "data": {"a": None}}, slot), NOW_MS).changes
    assert changes is not None
    return changes


def table_of(*job_ids: str) -> SlotTable:
    """The admission's slot table as it is when each of these jobs was given a slot with its creation."""
    place = ("tenant_a", "session_a", 5, NOW_MS)
    return {job_id: QueueEntry(*place, epoch=FIRST_EPOCH, want="slot", slot=True, started=True) for job_id in job_ids}


def first_item(job_id: str = JOB_ID) -> WorkItem:
    return loop_item(job_id, 1, 1, NOW_MS)


def call_item(position: int, job_id: str = JOB_ID, turn: int = 1) -> WorkItem:
    call_id = f"{job_id}-{turn}-{position}-aaaaaaaaaa"
    return WorkItem(
        key=tool_key(ItemKind.CALL, call_id, 1),
        kind=ItemKind.CALL,
        job_id=job_id,
        turn=turn,
        attempt=1,
        position=position,
        call_id=call_id,
        tool="tool_a",
        group=turn_group(job_id, turn),
        since_ms=NOW_MS,
    )


def complete_item(position: int, job_id: str = JOB_ID, turn: int = 1) -> WorkItem:
    return following(call_item(position, job_id, turn), ItemKind.COMPLETE, NOW_MS)


def record_of(item: WorkItem) -> CallRecord:
    return CallRecord(item.call_id, item.turn, item.position, item.tool, {"a": [1, None, {}]})


def next_turn(job_id: str = JOB_ID, turn: int = 2) -> Join:
    return Join(turn_group(job_id, turn - 1), loop_item(job_id, turn, 1, NOW_MS))


def slot_request_of(want: Want, message: str, epoch: int = NOW_MS, job_id: str = JOB_ID) -> WorkItem:
    return replace(slot_request_item(job_id, want, epoch, epoch), relay_id=message)


def leases_of(kinds: Iterable[ItemKind] = ItemKind) -> dict[ItemKind, int]:
    """For how long these kinds of work items are claimed: each for a time of its own."""
    return {kind: LEASE_MS + 1_000 * place for place, kind in enumerate(ItemKind) if kind in set(kinds)}


def claim_of(item: WorkItem, message: str = "m1", owner: str = "o1", *, after_ms: int = 0) -> Claim:
    now_ms = NOW_MS + after_ms
    return Claim(item.job_id, item.key, message, owner, now_ms, now_ms + LEASE_MS, item.call_id)


def by_key(items: Iterable[WorkItem]) -> list[WorkItem]:
    """Work items in the order of their keys, to compare what has no promised order."""
    return sorted(items, key=lambda item: item.key)


async def slot_request(
    side: Side, name: str, want: Want = "slot", epoch: int = 0, *, after_ms: int = 0, **more: Any
) -> SlotAnswer:
    """A job says what it wants; the later its name in the alphabet, the later it was created.

    `more`: of what the admission is told beside, or of the job's place in it.
    """
    place: dict[str, Any] = {
        "tenant": "t",
        "session": f"session-{name}",
        "agent": "a",
        "priority": 5,
        "created_ms": NOW_MS + ord(name[0]),
    }
    place |= {field: more.pop(field) for field in list(more) if field in place}
    whose = place["tenant"], place["session"], place["priority"], place["created_ms"]
    entry = QueueEntry(*whose, epoch, want, agent=place["agent"])
    return await side.admission.slot_request(name, entry, NOW_MS + after_ms, **more)


async def job_of(side: Side, job_id: str = JOB_ID) -> Snapshot:
    snapshot = await side.reader.job(job_id)
    assert snapshot is not None
    return snapshot


async def loaded_of(side: Side, job_id: str = JOB_ID) -> Loaded:
    loaded = await side.store.load(job_id)
    assert loaded is not None
    return loaded


async def state_of(store: Store, claim: Claim) -> State:
    """What is told of a work item that is granted."""
    claimed = await store.claim(claim)
    assert claimed.state is not None, claimed
    return claimed.state


async def fan_out(side: Side, count: int, message: str = "m1") -> list[WorkItem]:
    """A job whose first turn asked for `count` tool calls, all carried by `message`; its work items."""
    items = [call_item(position) for position in range(count)]
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    changes = Changes(items=tuple(items), calls=tuple(map(record_of, items)))
    assert (await side.store.commit(claim_of(first_item(), message), changes)).applied
    return items


async def take_in(side: Side, items: Iterable[WorkItem]) -> None:
    """Each call returns: its item is followed by the one that takes its result in, carried by a message of its own."""
    for item in items:
        message = f"call{item.position}"
        changes = Changes(items=(complete_item(item.position),), results={item.call_id: '{"ok":1}'})
        assert (await side.store.commit(claim_of(item, message), changes)).applied
