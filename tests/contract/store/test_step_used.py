"""What the usage ledger says: of each event, what its COMMIT added to it; of a tenant, how many bytes it has stored."""

import json
import re
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from baton.engine.all_jobs.ends import End
from baton.engine.all_jobs.slots import QueueEntry, Want
from baton.engine.commit.codec import dump, load_call
from baton.engine.commit.stored_bytes import BytesAdded
from baton.engine.state import Usage
from baton.engine.transitions import CallStatus
from baton.store.redis import keys
from baton.store.redis.connection import RedisConnection
from tests.contract.store.real_stage import Continuation, RealStage
from tests.contract.store.redis_process import Counted, RedisProcess
from tests.contract.store.sample import NOW_MS, job_of
from tests.contract.store.side import Side, connected, side_over
from tests.contract.store.test_dearer import counted

pytestmark = pytest.mark.bridge

JOB_ID = "job_a"
EVENT = '"type":"data-event"'


class Watched(RedisConnection):
    """A connection that reads the bridge's counters after each write of the job's usage ledger."""

    def __init__(self, process: RedisProcess) -> None:
        super().__init__(process.settings())
        self._process = process
        self._last = process.counted()
        self.events: list[Counted] = []
        self.besides: list[Counted] = []

    async def apply(self, keys: Sequence[str], args: Sequence[str], beside: Any = ()) -> tuple[int, int, list[Any]]:
        """Note what was counted since the write before."""
        answer = await super().apply(keys, args, beside)
        if answer[1] and f"usage:{JOB_ID}" in args:
            now = self._process.counted()
            noted = self.events if any(EVENT in each for each in args) else self.besides
            noted.append(now.since(self._last))
            self._last = now
        return answer


@pytest.fixture
async def watched(redis_process: RedisProcess) -> AsyncIterator[Watched]:
    async with connected(redis_process, lambda _: Watched(redis_process)) as connection:
        yield connection


def used(part: dict[str, int]) -> Counted:
    return Counted(part["redisRequests"], part["redisCommands"], part["redisBytes"])


def sum_of(rows: Sequence[Counted]) -> Counted:
    return Counted(*map(sum, zip(*rows, strict=True)))


async def used_of(stage: RealStage) -> tuple[list[dict[str, int]], Usage]:
    """What each event's part says, in order, and the job's usage ledger."""
    parts: list[dict[str, Any]] = [json.loads(text) for text in (await stage.ports.reader.parts(JOB_ID, 0)).parts]
    events = [part["data"]["used"] for part in parts if part["type"] == "data-event" and "used" in part["data"]]
    snapshot = await stage.ports.reader.job(JOB_ID)
    assert snapshot is not None
    return events, snapshot.usage


@pytest.mark.parametrize("continuation", ["queue", "inline"])
async def test_each_event_says_what_the_store_counted_for_it(watched: Watched, continuation: Continuation) -> None:
    """To the unit; together with the creation and the words to the admission they are the usage ledger.

    The first one says what the slot request cost, too, which is asked beside the creation.
    """
    stage = RealStage(side_over(watched), 3, continuation=continuation)
    await stage.play("in-a-row")
    events, usage_ledger = await used_of(stage)
    assert [used(part) for part in events[1:]] == watched.events[1:]
    shared = Counted(1, 0, 0)  # by the creation and its slot request, and counted for each
    assert counted(usage_ledger) == sum_of([*watched.events, *watched.besides, shared])


@pytest.mark.parametrize("continuation", ["queue", "inline"])
async def test_what_the_queue_took_is_an_events_that_it_brought(watched: Watched, continuation: Continuation) -> None:
    """In place the first one of a delivery has it."""
    stage = RealStage(side_over(watched), 3, continuation=continuation)
    await stage.play("in-a-row")
    events, usage_ledger = await used_of(stage)
    first, *others = [(used.get("messages", 0), used.get("deliveries", 0)) for used in events]
    assert (first, {*others}) == ((1, 1), {(1, 1) if continuation == "queue" else (0, 0)})
    assert 1 + sum(messages for messages, _ in others) <= usage_ledger.messages


async def test_a_text_in_mid_work_is_its_turns(watched: Watched) -> None:
    stage = RealStage(side_over(watched), 1, continuation="inline")
    await stage.play("at-once")
    events, usage_ledger = await used_of(stage)
    assert sum(used.get("appends", 0) for used in events) == usage_ledger.appends


ENTRY = QueueEntry("acme", "session-a", 5, NOW_MS, 1, "slot")
END = End("completed", 1, 0, 0, 0, 0)
MORE, KEPT_MS, LIMIT = BytesAdded({NOW_MS: -7, NOW_MS + 1: 9}, 5_000), 5_000, 1_000_000


async def slot_request(side: Side, want: Want, epoch: int, stored: BytesAdded, *, end: End | None = None) -> None:
    await side.admission.slot_request("job_a", replace(ENTRY, epoch=epoch, want=want), NOW_MS, end=end, stored=stored)


async def test_a_submission_and_an_end_are_counted_once(side: Side) -> None:
    """Not when they are told again, nor with what comes in between; nor the end of a job that has left."""
    first, last = BytesAdded({NOW_MS: 7}, KEPT_MS), MORE
    assert await side.stored_bytes.sums("acme") == {}
    for epoch in (1, 1, 2):
        await slot_request(side, "slot", epoch, first)
    assert await side.stored_bytes.sums("acme") == {NOW_MS: 7}
    for epoch in (5, 5, 4, 6):
        await slot_request(side, "gone", epoch, last, end=END)
    counted = {NOW_MS: 0, NOW_MS + 1: 9}
    assert await side.stored_bytes.sums("acme") == counted
    await side.admission.prune([("job_a", NOW_MS)])
    await slot_request(side, "gone", 7, last, end=END)
    assert (await side.stored_bytes.sums("acme"), await side.stored_bytes.sums("other")) == (counted, {})


async def test_a_job_that_is_refused_adds_nothing(side: Side) -> None:
    await slot_request(side, "slot", 1, BytesAdded({NOW_MS: 7}, KEPT_MS))
    slot_answer = await side.admission.slot_request("job_b", ENTRY, NOW_MS, alone=True, stored=MORE)
    assert (slot_answer.busy, await side.stored_bytes.sums("acme")) == (True, {NOW_MS: 7})


async def test_what_is_added_beside_is_in_the_same_sums(side: Side) -> None:
    await side.stored_bytes.add("acme", MORE)
    await side.stored_bytes.add("acme", MORE)
    await side.stored_bytes.add("acme", BytesAdded({}, KEPT_MS))
    assert await side.stored_bytes.sums("acme") == {NOW_MS: -14, NOW_MS + 1: 18}
    await side.stored_bytes.forget("acme", [NOW_MS, NOW_MS + 2])
    assert await side.stored_bytes.sums("acme") == {NOW_MS + 1: 18}


async def test_sums_expire(real: Side, redis_process: RedisProcess) -> None:
    await slot_request(real, "slot", 1, MORE)
    await real.stored_bytes.add("other", MORE)
    for tenant in ("acme", "other"):
        assert 0 < redis_process.request("PTTL", keys.stored_bytes_key(tenant)) <= KEPT_MS


async def written(side: Side, agent: str, continuation: Continuation) -> int:
    """What the usage ledger of a job that has run say, which is what its tenant's quota knows."""
    await RealStage(side, 3, continuation=continuation, bytes_kept=LIMIT).play(agent)
    snapshot = await job_of(side)
    sums = await side.stored_bytes.sums("acme")
    assert [size for size in sums.values() if size] == [snapshot.usage.written]
    return snapshot.usage.written


def as_made(text: str) -> str:
    """A call's record as it is counted, before it began."""
    return dump(replace(load_call(text), status=CallStatus.QUEUED, attempts=0, started_at_ms=None, finished_at_ms=None))


def stored(process: RedisProcess) -> tuple[int, int]:
    """The bytes that are there of the job: without its record, and of that."""
    entries = process.request("XRANGE", keys.parts_key("job_a"), "-", "+")
    parts = [part for _, entry in entries for part in entry[1::2]]
    fields = process.request("HGETALL", keys.calls_key("job_a"))
    hashes = [
        as_made(text) if keys.is_call(name) else text for name, text in zip(fields[::2], fields[1::2], strict=True)
    ]
    plain = [re.sub(r',"used":\{[^}]*\}', "", text) for text in (*parts, *hashes)]  # what the scripts add to events
    return sum(map(len, plain)), len(process.request("HGET", keys.state_key("job_a"), "job:job_a"))


@pytest.mark.parametrize("continuation", ["queue", "inline"])
@pytest.mark.parametrize("agent", ["in-a-row", "at-once"])
async def test_the_ledger_counts_what_was_written(
    real: Side, redis_process: RedisProcess, agent: str, continuation: Continuation
) -> None:
    """By whichever script: the job's record as it began and as it ended, all else once."""
    counted = await written(real, agent, continuation)
    there, record = stored(redis_process)
    assert there + record < counted < there + 2 * record


async def cost(side: Side, process: RedisProcess, bytes_kept: int) -> Counted:
    """What a job takes, from its submission to its last admission update."""
    process.request("FLUSHALL")
    stage, before = RealStage(side, 3, continuation="inline", bytes_kept=bytes_kept), process.counted()
    await stage.play("in-a-row")
    return process.counted().since(before)


@pytest.mark.bridge
async def test_a_limit_costs_a_submission_one_request(real: Side, redis_process: RedisProcess) -> None:
    """And a command in each of its first and last updates, one more where the sum is new; without one nothing."""
    _, without, limited = [await cost(real, redis_process, limit) for limit in (0, 0, LIMIT)]  # the first opens it
    assert limited.requests - without.requests == 1
    assert limited.commands - without.commands == 1 + 2 + 1
