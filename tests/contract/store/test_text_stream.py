"""Text that is appended while it is made: it goes on with its owner's COMMIT; whoever else comes next closes it."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from baton.engine import stream_parts
from baton.engine.commit.answers import Claim, Recorded
from baton.engine.commit.usage_ledger import Spent
from baton.engine.effects import Changes, TextStream
from baton.engine.lifecycle import cancelled
from baton.engine.step_results import Cancelled
from baton.engine.transitions import JobStatus
from baton.engine.work_items import loop_item
from tests.contract.store.sample import JOB_ID, LEASE_MS, NOW_MS, SPENT, a_job, claim_of, creation, first_item
from tests.contract.store.side import Side

ID = "text-1-1-x.1"
NEXT = Changes(items=(loop_item(JOB_ID, 2, 1, NOW_MS),), parts=('{"type":"after"}',))
ABANDONED = ["text-end", "data-retry", "finish-step"]


def text_stream(appended: int = 2, text_id: str = ID) -> TextStream:
    """How a COMMIT goes on with what was appended."""
    return TextStream(text_id, appended, ('{"type":"rest"}',), ('{"type":"anew"}',))


async def talking(side: Side, owner: str = "o1") -> Claim:
    """A turn that has appended two batches."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    claim = claim_of(first_item(), "m1", owner)
    await side.store.claim(claim)
    assert await side.store.append(claim, 1, [stream_parts.text_start(ID), stream_parts.text_delta(ID, "a")], ID)
    assert await side.store.append(claim, 2, [stream_parts.text_delta(ID, "b")], ID)
    return claim


async def told(side: Side, job_id: str = JOB_ID) -> list[dict[str, Any]]:
    """The parts behind the job's first."""
    return [json.loads(part) for part in (await side.reader.parts(job_id, 1)).parts]


async def types(side: Side, after: int = 3) -> list[str]:
    """The kinds of the parts behind those of the two batches."""
    return [part["type"] for part in (await told(side))[after:]]


async def test_the_owner_s_commit_goes_on_with_the_text(side: Side) -> None:
    """Then come the turn's other parts, and nothing is left open."""
    claim = await talking(side)
    assert (await side.store.commit(claim, replace(NEXT, text_stream=text_stream()), SPENT)).applied
    assert await types(side) == ["rest", "after"]


@pytest.mark.parametrize(
    "gone_on", [text_stream(appended=1), text_stream(appended=3), text_stream(text_id="text-1-1-x.2")]
)
async def test_a_text_that_is_not_as_its_owner_left_it_is_said_anew(side: Side, gone_on: TextStream) -> None:
    """What is there of it is closed and named."""
    claim = await talking(side)
    assert (await side.store.commit(claim, replace(NEXT, text_stream=gone_on), SPENT)).applied
    assert await types(side) == [*ABANDONED, "anew", "after"]
    assert (await told(side))[3:5] == [
        {"type": "text-end", "id": ID},
        {"type": "data-retry", "data": {"textId": ID}},
    ]


async def test_a_commit_that_says_nothing_of_the_text_closes_it(side: Side) -> None:
    """A failed model call, an answer that came otherwise."""
    claim = await talking(side)
    assert (await side.store.commit(claim, NEXT, SPENT)).applied
    assert await types(side) == [*ABANDONED, "after"]


async def test_whoever_takes_over_closes_the_text(side: Side) -> None:
    """With the claim, at once; what they say themselves goes on as ever."""
    await talking(side)
    later = claim_of(first_item(), "m2", "o2", after_ms=LEASE_MS + 1)
    await side.store.claim(later)
    assert await types(side) == ABANDONED
    assert await side.store.append(later, 1, [stream_parts.text_delta("text-1-1-y.1", "c")], "text-1-1-y.1")
    changes = replace(NEXT, text_stream=text_stream(1, "text-1-1-y.1"))
    assert (await side.store.commit(later, changes, SPENT)).applied
    assert await types(side) == [*ABANDONED, "text-delta", "rest", "after"]


async def test_who_lost_the_item_and_commits_first_says_all_anew(side: Side) -> None:
    """The first COMMIT wins, whoever sends it; the text of who holds the work item is closed."""
    early = await talking(side)
    later = claim_of(first_item(), "m2", "o2", after_ms=LEASE_MS + 1)
    await side.store.claim(later)
    assert await side.store.append(later, 1, [stream_parts.text_start("text-1-1-y.1")], "text-1-1-y.1")
    assert (await side.store.commit(early, replace(NEXT, text_stream=text_stream()), SPENT)).applied
    assert await types(side) == [*ABANDONED, "text-start", *ABANDONED, "anew", "after"]
    assert not await side.store.append(later, 2, ["{}"], "text-1-1-y.1")


async def test_a_cancellation_closes_the_text_before_the_end(side: Side) -> None:
    """So does any other end."""
    await talking(side)
    loaded = await side.store.load(JOB_ID)
    assert loaded is not None
    changes = cancelled(loaded.job, Cancelled(), NOW_MS).changes
    assert changes is not None
    recorded, _ = await side.store.record(loaded, "m9", changes, NOW_MS)
    assert recorded is Recorded.COMMITTED
    assert await types(side) == [*ABANDONED, "abort", "finish"]


async def test_a_child_s_text_is_closed_with_its_parent_s_end(side: Side) -> None:
    """Before its own closing parts."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    child = f"{JOB_ID}.1"
    starts = Changes(items=(loop_item(JOB_ID, 2, 1, NOW_MS),), child=creation(a_job(child)))
    assert (await side.store.commit(claim_of(first_item()), starts, SPENT)).applied
    claim = claim_of(first_item(child), "m2", "o2")
    await side.store.claim(claim)
    assert await side.store.append(claim, 1, [stream_parts.text_start(ID)], ID)
    ended = replace(a_job(), status=JobStatus.COMPLETED, finished_at_ms=NOW_MS)
    ends = Changes(job=ended, ends=True, closing=('{"type":"closing"}',))
    assert (await side.store.commit(claim_of(loop_item(JOB_ID, 2, 1, NOW_MS), "m3"), ends, SPENT)).applied
    assert [part["type"] for part in await told(side, child)] == ["text-start", *ABANDONED, "closing"]


async def test_a_text_that_lost_what_came_before_goes_on_no_more(side: Side) -> None:
    """A failover forgot a batch: the rest of the text would stand alone."""
    claim = await talking(side)
    assert not await side.store.append(claim, 4, [stream_parts.text_delta(ID, "d")], ID)
    assert await side.store.append(claim, 2, [stream_parts.text_delta(ID, "b")], ID)
    assert await types(side) == []


async def test_a_tool_s_word_may_be_lost(side: Side) -> None:
    """A progress report more or less: the next one is kept."""
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    claim = claim_of(first_item())
    await side.store.claim(claim)
    assert await side.store.append(claim, 3, ['{"type":"data-progress"}'])
    assert await types(side, 0) == ["data-progress"]


async def test_what_was_appended_is_counted_with_the_job(side: Side) -> None:
    """Also of attempts that came to nothing: a request of four commands each, and how many they were."""
    await talking(side)
    before = await side.reader.job(JOB_ID)
    later = claim_of(first_item(), "m2", "o2", after_ms=LEASE_MS + 1)
    await side.store.claim(later)
    assert await side.store.append(later, 1, ["{}"], "text-1-1-y.1")
    assert (await side.store.commit(later, replace(NEXT, text_stream=text_stream(1, "text-1-1-y.1")), Spent())).applied
    after = await side.reader.job(JOB_ID)
    assert before is not None
    assert after is not None
    assert (before.usage.appends, after.usage.appends) == (0, 3)
    assert after.usage.redis_requests - before.usage.redis_requests == 3 + 1
