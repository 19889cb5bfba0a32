"""The part of an event says what its COMMIT added to the job's usage ledger; the rest comes beside events."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from baton.engine.state import Usage
from baton.storage.redis.connection import RedisConnection
from tests.contract.store.real_stage import Continuation, RealStage
from tests.contract.store.redis_process import Counted, RedisProcess
from tests.contract.store.side import connected, fake_side, side_over
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
    """What an event's part says."""
    return Counted(part["redisRequests"], part["redisCommands"], part["redisBytes"])


def sum_of(rows: Sequence[Counted]) -> Counted:
    return Counted(*map(sum, zip(*((row.requests, row.commands, row.size_bytes) for row in rows), strict=True)))


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
    """In place the first one of a delivery has it; memory and real store say the same."""
    shown: list[list[tuple[int, int, int]]] = []
    for side in (side_over(watched), fake_side()):
        stage = RealStage(side, 3, continuation=continuation)
        await stage.play("in-a-row")
        events, usage_ledger = await used_of(stage)
        taken = [(used.get("messages", 0), used.get("deliveries", 0), used["redisRequests"]) for used in events]
        shown.append(taken)
        assert sum(messages for messages, _, _ in taken) <= usage_ledger.messages
    with_slot_request, without = shown  # the fake's admission costs nothing
    assert with_slot_request[0] == (*without[0][:2], without[0][2] + 1)
    assert with_slot_request[1:] == without[1:]


async def test_a_text_in_mid_work_is_its_turns(watched: Watched) -> None:
    stage = RealStage(side_over(watched), 1, continuation="inline")
    await stage.play("at-once")
    events, usage_ledger = await used_of(stage)
    assert sum(used.get("appends", 0) for used in events) == usage_ledger.appends
