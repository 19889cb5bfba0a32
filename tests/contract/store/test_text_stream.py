"""Text that is appended while it is made: it goes on with its owner's COMMIT; whoever else comes next closes it."""

import json
from typing import Any

from msgspec.structs import replace

from baton.engine import stream_parts
from baton.engine.commit.answers import Claim, Recorded
from baton.engine.effects import Changes, TextStream
from baton.engine.lifecycle import cancelled
from baton.engine.step_results import Cancelled
from baton.engine.work_items import loop_item
from tests.contract.store.sample import (
    JOB_ID,
    LEASE_MS,
    NOW_MS,
    SPENT,
    a_job,
    claim_of,
    creation,
    first_item,
    loaded_of,
)
from tests.contract.store.side import Side

ID = "text-1-1-x.1"
NEXT = Changes(items=(loop_item(JOB_ID, 2, 1, NOW_MS),), parts=('{"type":"after"}',))
ABANDONED = ["text-end", "data-retry", "finish-step"]


def text_stream(appended: int = 2, text_id: str = ID) -> TextStream:
    return TextStream(text_id, appended, ('{"type":"rest"}',), ('{"type":"anew"}',))


async def talking(side: Side, owner: str = "o1") -> Claim:
    await side.store.create(creation(a_job()), "witness", NOW_MS)
    claim = claim_of(first_item(), "m1", owner)
    await side.store.claim(claim)
    assert await side.store.append(claim, 1, [stream_parts.text_start(ID), stream_parts.text_delta(ID, "a")], ID)
    assert await side.store.append(claim, 2, [stream_parts.text_delta(ID, "b")], ID)
    return claim


async def found(side: Side, job_id: str = JOB_ID) -> list[dict[str, Any]]:
    return [json.loads(part) for part in (await side.reader.parts(job_id, 1)).parts]


async def types(side: Side, after: int = 3) -> list[str]:
    return [part["type"] for part in (await found(side))[after:]]


async def test_the_owner_s_commit_goes_on_with_the_text(side: Side) -> None:
    claim = await talking(side)
    assert (await side.store.commit(claim, replace(NEXT, text_stream=text_stream()), SPENT)).applied
    assert await types(side) == ["rest", "after"]


async def test_who_lost_the_item_and_commits_first_streams_all_anew(side: Side) -> None:
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
    loaded = await loaded_of(side)
    changes = cancelled(loaded.job, Cancelled(), NOW_MS).changes
    assert changes is not None
    recorded, _ = await side.store.record(loaded, "m9", changes, NOW_MS)
    assert recorded is Recorded.COMMITTED
    assert await types(side) == [*ABANDONED, "abort", "finish"]


async def test_a_text_that_lost_what_came_before_goes_on_no_more(side: Side) -> None:
    """A failover forgot a batch: the rest of the text would stand alone."""
    claim = await talking(side)
    assert not await side.store.append(claim, 4, [stream_parts.text_delta(ID, "d")], ID)
    assert await side.store.append(claim, 2, [stream_parts.text_delta(ID, "b")], ID)
    assert await types(side) == []
