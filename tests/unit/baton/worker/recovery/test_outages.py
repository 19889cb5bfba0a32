"""Outages that outlast every retry: who looks whether the store is back, and what happens then."""

from contextlib import nullcontext

import pytest

from baton.worker.recovery.maintenance import read_away_ms
from baton.worker.recovery.outage import CHECKS_EVERY_MS, StoreAway, SweepRequests
from baton_events.emitter import Emitter
from baton_events.errors import QueueUnreachableError, StoreError
from baton_events.schema import SWEEP_ENDPOINT
from tests.fakes.queue import FakeQueue
from tests.fakes.stored import FakeAdmission, FakeRedis
from tests.unit.baton.kit.faults import Method, around
from tests.unit.baton.kit.stage import SETTINGS

DAY_MS = 86_400_000


class Scene:
    """One process, the queue, and a store that is away until somebody says otherwise."""

    def __init__(self) -> None:
        self.redis, self.queue = FakeRedis(), FakeQueue()
        self.admission, self.clock = FakeAdmission(self.redis), self.redis.clock
        self.is_away = True
        around(self.admission, "may_request_sweep", self._requested)
        self.process()

    async def _requested(self, method: Method, now_ms: int) -> bool:
        if self.is_away:
            raise StoreError("away")
        answer: bool = await method(now_ms)
        return answer

    def process(self) -> StoreAway:
        emitter = Emitter(SETTINGS, self.queue)
        requests = SweepRequests(self.admission, emitter, self.clock)
        self.away = StoreAway(self.admission, emitter, self.clock, requests)
        return self.away

    async def handled(self, error: Exception | None = None, retried: int = 1) -> None:
        with nullcontext() if error is None else pytest.raises(type(error)):
            async with self.away.watching(retried):
                if error is not None:
                    raise error

    def checks(self) -> list[int]:
        found = (read_away_ms(message.body.encode()) for _, message in self.queue.published)
        return [at_ms for at_ms in found if at_ms]

    def sweeps(self) -> int:
        requested = [m for _, m in self.queue.published if m.body == "" and m.url.endswith(SWEEP_ENDPOINT)]
        return len({message.deduplication_id or str(number) for number, message in enumerate(requested)})


async def away() -> Scene:
    """A message has failed twice."""
    scene = Scene()
    await scene.handled(StoreError("away"))
    return scene


async def test_a_message_that_fails_once_begins_nothing() -> None:
    scene = Scene()
    await scene.handled(StoreError("away"), retried=0)
    await scene.handled(QueueUnreachableError("https://queue", "away"), retried=0)
    await scene.handled()
    assert scene.queue.published == []


async def test_one_look_a_minute_follows_from_any_number_of_failures() -> None:
    """Of one process by itself, of several by what the queue takes for the same message."""
    scene = Scene()
    for _ in range(20):
        await scene.handled(StoreError("away"))
    scene.process()
    await scene.handled(StoreError("away"))
    at_ms = scene.clock.ms // CHECKS_EVERY_MS * CHECKS_EVERY_MS + CHECKS_EVERY_MS
    assert scene.checks() == [at_ms, at_ms]
    assert {message.deduplication_id for _, message in scene.queue.published} == {f"away.{at_ms}"}
    assert {message.not_before_ms for _, message in scene.queue.published} == {at_ms}


async def test_however_long_the_store_is_away_one_message_a_minute_waits_for_it() -> None:
    """None of its retries are used up; once the store is back, a sweep of everything is asked for, once."""
    scene = await away()
    began_ms = scene.clock.ms
    while scene.clock.ms < began_ms + DAY_MS:
        scene.clock.ms = read_away_ms(scene.queue.published[-1][1].body.encode())
        assert (await scene.process().check(scene.clock.ms)).label == "still away"
    assert len(scene.checks()) <= DAY_MS // CHECKS_EVERY_MS + 2
    scene.is_away = False
    scene.clock.ms = scene.checks()[-1]
    assert (await scene.away.check(scene.clock.ms)).label == "back"
    assert (await scene.process().check(scene.clock.ms)).label == "back"
    assert (scene.sweeps(), scene.clock.ms - scene.checks()[-1]) == (1, 0)


async def test_a_check_whose_request_the_store_received_twice_still_requests_the_sweep() -> None:
    """Its first answer was lost on the way, and the second one says that somebody has asked within this minute."""
    scene = await away()
    scene.is_away = False
    at_ms = scene.clock.ms = scene.checks()[-1]
    await scene.admission.may_request_sweep(at_ms)
    assert (await scene.away.check(at_ms)).label == "back"
    assert scene.sweeps() == 1


async def test_a_look_on_a_process_whose_clock_is_behind_is_followed_by_the_next_one() -> None:
    """Its clock shows the minute before the look, for which one is armed already."""
    scene = await away()
    at_ms = scene.checks()[-1]
    scene.clock.ms = at_ms - 900
    assert (await scene.away.check(at_ms)).label == "still away"
    assert (await scene.process().check(at_ms)).label == "still away"
    assert scene.checks() == [at_ms, at_ms + CHECKS_EVERY_MS, at_ms + CHECKS_EVERY_MS]


async def test_a_look_that_no_other_can_follow_comes_again() -> None:
    """The queue takes no message just then: this one is not acknowledged, since nothing else waits for the store."""
    scene = await away()
    at_ms = scene.clock.ms = scene.checks()[-1]
    scene.queue.failing.append(QueueUnreachableError("https://queue", "away"))
    with pytest.raises(QueueUnreachableError):
        await scene.away.check(at_ms)
    scene.queue.failing.clear()
    assert (await scene.away.check(at_ms)).label == "still away"
    assert scene.checks() == [at_ms, at_ms + CHECKS_EVERY_MS]


async def test_where_the_queue_was_away_who_succeeds_first_requests_the_sweep() -> None:
    """Once, and also where the store was away at the same time."""
    for error in (StoreError("away"), QueueUnreachableError("https://queue", "away")):
        scene = Scene()
        scene.queue.failing.append(QueueUnreachableError("https://queue", "away"))
        await scene.handled(error)
        scene.queue.failing.clear()
        scene.is_away = False
        for _ in range(3):
            await scene.handled(retried=0)
        assert scene.sweeps() == 1
